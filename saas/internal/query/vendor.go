package query

import (
	"net"

	"github.com/gopacket/gopacket/macs"
)

// registry is what the IEEE's own entries are called: blocks that it hands out
// in smaller parts, whose holders are not in the list of large ones.
const registry = "IEEE Registration Authority"

// VendorOf is the holder of a hardware address's prefix (IEEE MA-L), "" where
// nobody is known: addresses that software made up have no holder.
func VendorOf(mac string) string {
	hw, err := net.ParseMAC(mac)
	if err != nil || len(hw) < 3 || hw[0]&2 != 0 {
		return ""
	}
	name := macs.ValidMACPrefixMap[[3]byte(hw)]
	if name == registry {
		return ""
	}
	return name
}
