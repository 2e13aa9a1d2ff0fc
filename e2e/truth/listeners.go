package truth

import (
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// process matches one owner in the last column of ss -p.
var process = regexp.MustCompile(`pid=(\d+)`)

func readListeners(r Reading) error {
	links, err := readLinks()
	if err != nil {
		return err
	}
	low, high, err := ephemeralPorts()
	if err != nil {
		return err
	}
	out, err := output("ss", "-Htulnp")
	if err != nil {
		return err
	}
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if len(fields) < 6 {
			return fmt.Errorf("ss: a line of %d columns: %q", len(fields), line)
		}
		protocol, local := fields[0], fields[4]
		colon := strings.LastIndexByte(local, ':')
		port, err := strconv.Atoi(local[colon+1:])
		if err != nil {
			return fmt.Errorf("ss: port of %q: %w", local, err)
		}
		into := r.Must
		if protocol == "udp" && low <= port && port <= high {
			into = r.May // counts only when it stood for 30 s
		}
		for _, ip := range expand(local[:colon], links) {
			for _, owner := range owners(line) {
				into.add(Listeners, listenerRecord(protocol, ip, port, owner))
			}
		}
	}
	return nil
}

// expand returns the addresses at which a socket bound to host, as ss prints
// it, can be reached: "*" is a wildcard of both families.
func expand(host string, links []ipLink) []string {
	host, device, _ := strings.Cut(strings.Trim(host, "[]"), "%")
	device = strings.TrimSuffix(device, "]")
	host = strings.TrimSuffix(host, "]")
	var wanted func(netip.Addr) bool
	switch host {
	case "*":
		wanted = func(netip.Addr) bool { return true }
	case "0.0.0.0":
		wanted = netip.Addr.Is4
	case "::":
		wanted = netip.Addr.Is6
	default:
		return []string{host}
	}
	var all []string
	for _, l := range links {
		for _, a := range l.Addresses {
			ip, err := netip.ParseAddr(a.Local)
			if err == nil && wanted(ip) && (device == "" || device == l.Name) {
				all = append(all, ip.String())
			}
		}
	}
	return all
}

// owners returns the programs that hold a socket, "" where ss does not know.
// An unprivileged user learns of own processes only; so all are left out then.
func owners(line string) []string {
	if os.Geteuid() != 0 {
		return []string{""}
	}
	seen := Set{}
	for _, match := range process.FindAllStringSubmatch(line, -1) {
		exe, err := os.Readlink("/proc/" + match[1] + "/exe")
		if err != nil {
			continue // it has ended since
		}
		seen[strings.TrimSuffix(exe, " (deleted)")] = true
	}
	if len(seen) == 0 {
		return []string{""}
	}
	var all []string
	for exe := range seen {
		all = append(all, exe)
	}
	return all
}

func listenerRecord(protocol, ip string, port int, exe string) string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", protocol, netip.AddrPortFrom(parseIP(ip), uint16(port)), exe))
}

// parseIP gives the zero address, printed as invalid, for what is none.
func parseIP(s string) netip.Addr {
	ip, _ := netip.ParseAddr(s)
	return ip.Unmap()
}

func ephemeralPorts() (low, high int, err error) {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return 0, 0, err
	}
	if _, err := fmt.Sscan(string(text), &low, &high); err != nil {
		return 0, 0, fmt.Errorf("reading the range of ephemeral ports: %w", err)
	}
	return low, high, nil
}
