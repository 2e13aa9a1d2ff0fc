package lldp

import (
	"encoding/hex"
	"net"
	"net/netip"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"assimilation/discovery"
)

const (
	maxIdentity = 200 // bytes of a chassis or port that are kept
	maxText     = 255 // the most that a text of the standard may have
)

// The names of the subtypes that identity reads in a way of their own.
const (
	macAddress = "mac address"
	netAddress = "network address"
)

// chassisSubtype is the short word that goes before a chassis, so that chassis of
// two subtypes are never the same, and the name, 802.1AB table 8-2.
func chassisSubtype(subtype byte) (word, name string) {
	switch subtype {
	case 1:
		return "component", "chassis component"
	case 2:
		return "ifalias", "interface alias"
	case 3:
		return "port", "port component"
	case 4:
		return "mac", macAddress
	case 5:
		return "ip", netAddress
	case 6:
		return "ifname", "interface name"
	case 7:
		return "local", "local"
	}
	return "reserved", "reserved"
}

// portSubtype is the name of a port's subtype, 802.1AB table 8-3.
func portSubtype(subtype byte) string {
	switch subtype {
	case 1:
		return "interface alias"
	case 2:
		return "port component"
	case 3:
		return macAddress
	case 4:
		return netAddress
	case 5:
		return "interface name"
	case 6:
		return "agent circuit"
	case 7:
		return "local"
	}
	return "reserved"
}

// identity is a chassis or port as text. It does not run two of them together:
// what is not plain text is hexadecimal.
func identity(subtype string, b []byte) string {
	switch {
	case subtype == macAddress && len(b) == 6:
		return net.HardwareAddr(b).String()
	case subtype == netAddress:
		if ip := networkAddress(b); ip != "" {
			return ip
		}
	}
	s := strings.TrimRight(string(b), "\x00 ")
	if s == "" || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		s = "0x" + hex.EncodeToString(b)
	}
	return discovery.Clean(s, maxIdentity)
}

// networkAddress reads an address behind its IANA address family number; "" if it
// is of a family that has no use here.
func networkAddress(b []byte) string {
	if len(b) == 5 && b[0] == 1 || len(b) == 17 && b[0] == 2 {
		ip, _ := netip.AddrFromSlice(b[1:])
		return ip.String()
	}
	if len(b) == 7 && b[0] == 6 { // 802: a MAC address
		return net.HardwareAddr(b[1:]).String()
	}
	return ""
}

// text makes a text of the frame fit for a fact.
func text(b []byte) string {
	return strings.TrimSpace(discovery.Clean(strings.TrimRight(string(b), "\x00"), maxText))
}

// setText sets what was not set before.
func setText(to *string, b []byte) { setWord(to, text(b)) }

func setWord(to *string, s string) {
	if *to == "" {
		*to = s
	}
}

func setNumber(to *int64, n int64) {
	if *to == 0 {
		*to = n
	}
}

// add appends a word that is not in the list.
func add(to *[]string, s string) {
	if s != "" && !slices.Contains(*to, s) {
		*to = append(*to, s)
	}
}
