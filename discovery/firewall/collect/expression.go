package collect

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"

	"assimilation/discovery/internal/netlink"
)

// expressions name the attributes of each expression, from number 1 on
// (linux/netfilter/nf_tables.h). "$" marks a text, "%" a value or verdict, "*" bytes of
// which the end is not used, "-" what changes by itself or has no meaning outside
// the kernel, and what follows a "/" are names of numbers from 0 on.
var expressions = map[string]string{
	"immediate": "dreg %data",
	"bitwise":   "sreg dreg len %mask %xor op %data",
	"byteorder": "sreg dreg op len size",
	"lookup":    "$set sreg dreg - flags",
	"payload":   "dreg base/link,network,transport,inner offset len sreg csum_type csum_offset csum_flags",
	"exthdr":    "dreg type offset len flags op sreg",
	"cmp":       "sreg op/eq,neq,lt,lte,gt,gte %data",
	"range":     "sreg op/eq,neq %from %to",
	"meta":      "dreg key/len,protocol,priority,mark,iif,oif,iifname,oifname,iftype,oiftype,skuid,skgid,nftrace,rtclassid,secmark,nfproto,l4proto sreg",
	"ct":        "dreg key/state,direction,status,mark,secmark,expiration,helper,l3protocol,src,dst,protocol direction sreg",
	"rt":        "dreg key",
	"socket":    "key dreg level",
	"hash":      "sreg dreg len modulus seed offset type",
	"numgen":    "dreg modulus type offset",
	"fib":       "dreg result/unspec,oif,oifname,addrtype flags",
	"limit":     "rate unit burst type flags -",
	"connlimit": "count flags",
	"counter":   "- - -",
	"quota":     "bytes flags - -",
	"last":      "- - -",
	"log":       "group $prefix snaplen qthreshold level flags",
	"queue":     "num total flags sreg",
	"reject":    "type/icmp_unreach,tcp_rst,icmpx_unreach code",
	"nat":       "type/snat,dnat family addr_min addr_max proto_min proto_max flags",
	"masq":      "flags proto_min proto_max",
	"redir":     "proto_min proto_max flags",
	"tproxy":    "family addr port",
	"dup":       "addr dev",
	"fwd":       "dev addr family",
	"objref":    "type $name sreg $set -",
	"dynset":    "$set - op sreg sdata timeout - - flags -",
	"match":     "$name rev *info",
	"target":    "$name rev *info",
	"notrack":   "",
}

// expression writes one expression.
func expression(name string, attributes []byte) string {
	out := name
	fields := strings.Fields(expressions[name])
	_ = netlink.Attributes(attributes, func(kind uint16, data []byte) error {
		field := "attr" + strconv.Itoa(int(kind))
		if int(kind) <= len(fields) && kind > 0 {
			field = fields[kind-1]
		}
		field, names, _ := strings.Cut(field, "/")
		switch field[0] {
		case '-':
		case '$':
			out += " " + field[1:] + "=" + strconv.Quote(text(data))
		case '*': // a structure of x_tables, which ends in what is not used
			out += " " + field[1:] + "=" + hex.EncodeToString(bytes.TrimRight(data, "\x00"))
		case '%':
			out += " " + field[1:] + "=" + value(data)
		default:
			out += " " + field + "=" + number(data, names)
		}
		return nil
	})
	return out
}

// number writes an integer in network byte order, by its name if it has one; what
// is none is hexadecimal.
func number(data []byte, names string) string {
	n := uint64(0)
	switch len(data) {
	case 1, 2, 4, 8:
		for _, c := range data {
			n = n<<8 | uint64(c)
		}
	default:
		return hex.EncodeToString(data)
	}
	if all := strings.Split(names, ","); names != "" && n < uint64(len(all)) {
		return all[n]
	}
	return strconv.FormatUint(n, 10)
}

// value writes NFTA_DATA_VALUE (1) or NFTA_DATA_VERDICT (2).
func value(attributes []byte) (out string) {
	_ = netlink.Attributes(attributes, func(kind uint16, data []byte) error {
		switch kind {
		case 1:
			out += literal(data)
		case 2:
			out += verdict(data)
		}
		return nil
	})
	return out
}

// literal is hexadecimal, but for names of links, which fill 16 bytes.
func literal(data []byte) string {
	if name := text(data); len(data) == 16 && name != "" && strings.Trim(string(data[len(name):]), "\x00") == "" && strings.IndexFunc(name, odd) < 0 {
		return strconv.Quote(name)
	}
	return hex.EncodeToString(data)
}

func odd(r rune) bool { return r <= ' ' || r > '~' }

// verdict writes NFTA_VERDICT_CODE (1), then NFTA_VERDICT_CHAIN (2).
func verdict(attributes []byte) (out string) {
	_ = netlink.Attributes(attributes, func(kind uint16, data []byte) error {
		switch {
		case kind == 1 && len(data) == 4:
			code := int32(binary.BigEndian.Uint32(data))
			out = strconv.Itoa(int(code))
			if names := []string{"return", "goto", "jump", "break", "continue", "drop", "accept"}; code >= -5 && code <= 1 {
				out = names[code+5]
			}
		case kind == 2:
			out += " " + strconv.Quote(text(data))
		}
		return nil
	})
	return out
}

// text is a string of C.
func text(data []byte) string {
	s, _, _ := strings.Cut(string(data), "\x00")
	return s
}
