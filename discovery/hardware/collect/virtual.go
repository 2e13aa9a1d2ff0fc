package collect

import (
	"strings"

	kind "assimilation/discovery/hardware"
)

// hypervisor names whose guest the host is, "" of a real machine. The clocks
// that a hypervisor offers tell it best, for firmware may be anything; then its
// own folder of Xen, then the firmware. virtual is what the processor says.
func hypervisor(files *reader, machine kind.Machine, virtual bool) string {
	clocks := strings.Fields(files.line("sys/devices/system/clocksource/clocksource0/available_clocksource"))
	for _, clock := range clocks {
		switch {
		case clock == "kvm-clock":
			return "kvm"
		case strings.HasPrefix(clock, "hyperv_clocksource"):
			return "microsoft"
		}
	}
	if files.line("sys/hypervisor/type") == "xen" {
		if strings.Contains(files.line("proc/xen/capabilities"), "control_d") {
			return "" // the privileged domain stands for the machine
		}
		return "xen"
	}
	if name := firmwareHypervisor(machine); name != "" {
		return name
	}
	if virtual {
		return "other"
	}
	return ""
}

// firmwareHypervisor knows hypervisors by the names that they give to the
// machines they make.
func firmwareHypervisor(m kind.Machine) string {
	if strings.Contains(m.Product, "metal") {
		return "" // rented whole
	}
	for _, sign := range []struct{ text, name string }{
		{"KVM", "kvm"}, {"OpenStack", "kvm"}, {"KubeVirt", "kvm"}, {"Amazon EC2", "kvm"}, {"Google Compute Engine", "kvm"},
		{"VMware", "vmware"}, {"VirtualBox", "virtualbox"}, {"innotek GmbH", "virtualbox"}, {"Xen", "xen"},
		{"Parallels", "parallels"}, {"BHYVE", "bhyve"}, {"Apple Virtualization", "apple"}, {"QEMU", "qemu"},
	} {
		if strings.Contains(m.Vendor, sign.text) || strings.Contains(m.Product, sign.text) {
			return sign.name
		}
	}
	if m.Vendor == "Microsoft Corporation" && m.Product == "Virtual Machine" {
		return "microsoft"
	}
	return ""
}

// container names what kind of container the host is, "" of none.
func container(files *reader) string {
	if name := files.line("run/systemd/container"); name != "" {
		return name
	}
	for _, mark := range []struct{ file, name string }{
		{".dockerenv", "docker"}, {"run/.containerenv", "podman"}, {"dev/.lxc", "lxc"},
	} {
		if files.exists(mark.file) {
			return mark.name
		}
	}
	groups, _ := files.text("proc/1/cgroup")
	for _, mark := range []struct{ text, name string }{
		{"/kubepods", "kubernetes"}, {"/docker/", "docker"}, {"/libpod-", "podman"}, {"/lxc", "lxc"},
	} {
		if strings.Contains(groups, mark.text) {
			return mark.name
		}
	}
	return ""
}
