package portable

import (
	"fmt"
	"net"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/windows"
)

// routes asks GetIpForwardTable2 (netioapi.h).
func routes() ([]Route, error) {
	var table *windows.MibIpForwardTable2
	if err := windows.GetIpForwardTable2(windows.AF_UNSPEC, &table); err != nil {
		return nil, fmt.Errorf("asking for the forwarding table: %w", err)
	}
	defer windows.FreeMibTable(unsafe.Pointer(table))
	var found []Route
	for _, row := range table.Rows() {
		address, ok := rawAddress(&row.DestinationPrefix.Prefix)
		if !ok {
			continue
		}
		r := Route{destination: netip.PrefixFrom(address, int(row.DestinationPrefix.PrefixLength)), metric: int64(row.Metric), static: row.Protocol == protocolNetMgmt}
		if hop, ok := rawAddress(&row.NextHop); ok && !hop.IsUnspecified() {
			r.gateway = hop
		}
		if device, err := net.InterfaceByIndex(int(row.InterfaceIndex)); err == nil {
			r.device = device.Name
		}
		found = append(found, r)
	}
	return found, nil
}

// protocolNetMgmt is MIB_IPPROTO_NETMGMT (ipmib.h): a route that somebody set.
const protocolNetMgmt = 3

func rawAddress(raw *windows.RawSockaddrInet) (netip.Addr, bool) {
	switch raw.Family {
	case windows.AF_INET:
		return netip.AddrFrom4((*windows.RawSockaddrInet4)(unsafe.Pointer(raw)).Addr), true
	case windows.AF_INET6:
		return netip.AddrFrom16((*windows.RawSockaddrInet6)(unsafe.Pointer(raw)).Addr), true
	}
	return netip.Addr{}, false
}
