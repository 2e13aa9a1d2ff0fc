package cli

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"assimilation/discovery"
)

// heldCapabilities reads the effective set of a process (CapEff,
// proc_pid_status(5)).
func heldCapabilities(pid int) (map[discovery.Capability]bool, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return nil, fmt.Errorf("reading the probe's rights: %w", err)
	}
	_, rest, found := strings.Cut(string(b), "\nCapEff:")
	line, _, _ := strings.Cut(rest, "\n")
	set, err := strconv.ParseUint(strings.TrimSpace(line), 16, 64)
	if !found || err != nil {
		return nil, fmt.Errorf("/proc/%d/status tells no rights", pid)
	}
	held := map[discovery.Capability]bool{}
	for name, bit := range map[discovery.Capability]uint{
		discovery.NetRaw:        unix.CAP_NET_RAW,
		discovery.SysPtrace:     unix.CAP_SYS_PTRACE,
		discovery.DACReadSearch: unix.CAP_DAC_READ_SEARCH,
	} {
		held[name] = set&(1<<bit) != 0
	}
	return held, nil
}
