package process

import (
	"path"
	"strings"

	"assimilation/discovery"
)

// containerID finds the last 64 hexadecimal digits in a row that stand alone
// in a cgroup path: how Docker, containerd, CRI-O and Podman name containers.
func containerID(cgroups string) string {
	const size = 64
	found := ""
	run := 0
	for i := 0; i <= len(cgroups); i++ {
		if i < len(cgroups) && strings.IndexByte("0123456789abcdef", cgroups[i]) >= 0 {
			run++
			continue
		}
		if run == size {
			found = cgroups[i-size : i]
		}
		run = 0
	}
	return found
}

// unit finds the service that systemd runs a process for, in proc_pid_cgroup(5):
// "0::/system.slice/nginx.service", of version 1 in the hierarchy "name=systemd".
// The innermost counts: a user's services stand below "user@1000.service".
func unit(cgroups string) string {
	for line := range strings.Lines(cgroups) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) < 3 || fields[1] != "" && fields[1] != "name=systemd" {
			continue
		}
		for group := fields[2]; len(group) > 1; group = path.Dir(group) {
			if name := path.Base(group); strings.HasSuffix(name, ".service") {
				return discovery.Clean(name, maxArg)
			}
		}
	}
	return ""
}
