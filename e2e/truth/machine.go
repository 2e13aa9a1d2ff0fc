package truth

import (
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"assimilation/discovery/hardware"
	"assimilation/discovery/mounts"
	"assimilation/discovery/users"
)

func readUsers(r Reading) error {
	out, err := output("getent", "-s", "files", "passwd")
	if err != nil {
		return err
	}
	for line := range strings.Lines(out) {
		f := strings.Split(strings.TrimRight(line, "\n"), ":")
		if len(f) < 7 {
			return fmt.Errorf("getent: a line of %d fields: %q", len(f), line)
		}
		r.Must.add(Users, strings.Join([]string{f[0], f[2], f[3], f[5], f[6]}, ":"))
	}
	return nil
}

func serviceUsers(assim, host string, r Records) error {
	facts, err := bodies[users.Facts](assim, host, users.Kind.Name)
	if err != nil {
		return err
	}
	for _, f := range facts {
		for _, u := range f.Users {
			r.add(Users, fmt.Sprintf("%s:%d:%d:%s:%s", u.Name, u.UID, u.GID, u.Home, u.Shell))
		}
	}
	return nil
}

// passing are the places where mounts come and go by themselves, and are left
// out, see discovery/mounts.
var passing = []string{"/proc/", "/sys/", "/dev/", "/run/", "/var/run/", "/snap/", "/var/snap/", "/var/lib/docker/", "/var/lib/containers/",
	"/var/lib/containerd/", "/var/lib/kubelet/", "/var/lib/snapd/", "/var/lib/lxd/", "/var/lib/flatpak/"}

// readMounts asks for the mounts of process 1, which are the host's. A disk's or
// a server's filesystem must be known; those in memory, or behind a program, may.
func readMounts(r Reading) error {
	var table struct {
		Filesystems []struct {
			Target  string `json:"target"`
			Source  string `json:"source"`
			Type    string `json:"fstype"`
			Options string `json:"options"`
		} `json:"filesystems"`
	}
	if err := outputJSON(&table, "findmnt", "--tab-file", "/proc/1/mountinfo", "--list", "-J", "-o", "TARGET,SOURCE,FSTYPE,OPTIONS"); err != nil {
		return err
	}
	visible := map[string]int{} // the last of several at one place hides the others
	for i, f := range table.Filesystems {
		visible[f.Target] = i
	}
	for i, f := range table.Filesystems {
		into := r.May
		passes := slices.ContainsFunc(passing, func(place string) bool { return strings.HasPrefix(f.Target+"/", place) })
		if visible[f.Target] == i && !passes && (strings.HasPrefix(f.Source, "/dev/") || strings.HasPrefix(f.Type, "nfs")) {
			into = r.Must
		}
		into.add(Mounts, f.Target+" "+f.Source+" "+f.Type)
		for option := range strings.SplitSeq(f.Options, ",") {
			r.May.add(Mounts, f.Target+" option "+option) // of which some are no facts
		}
	}
	return nil
}

func serviceMounts(assim, host string, r Records) error {
	facts, err := bodies[mounts.Facts](assim, host, mounts.Kind.Name)
	if err != nil {
		return err
	}
	for _, f := range facts {
		for _, m := range f.Filesystems {
			source := m.Source
			if m.Root != "" {
				source += "[" + m.Root + "]" // as findmnt prints it
			}
			r.add(Mounts, m.Target+" "+source+" "+m.Type)
			for _, option := range m.Options {
				r.add(Mounts, m.Target+" option "+option)
			}
		}
	}
	return nil
}

func readHardware(r Reading) error {
	var table struct {
		Fields []cpuField `json:"lscpu"`
	}
	if err := outputJSON(&table, "lscpu", "-J"); err != nil {
		return err
	}
	values := map[string]string{}
	var gather func([]cpuField)
	gather = func(fields []cpuField) {
		for _, f := range fields {
			if _, known := values[f.Field]; !known && f.Data != "" {
				values[f.Field] = f.Data
			}
			gather(f.Children)
		}
	}
	gather(table.Fields)
	r.Must.add(Hardware, "threads "+values["CPU(s):"])
	if model := values["Model name:"]; model != "" {
		r.May.add(Hardware, "model "+model) // ARM processors have names by table only
	}
	sockets, socketsErr := strconv.Atoi(values["Socket(s):"])
	cores, coresErr := strconv.Atoi(values["Core(s) per socket:"])
	if socketsErr == nil && coresErr == nil {
		r.Must.add(Hardware, "sockets "+strconv.Itoa(sockets))
		r.Must.add(Hardware, "cores "+strconv.Itoa(sockets*cores))
	}
	if nodes := values["NUMA node(s):"]; nodes != "" {
		r.Must.add(Hardware, "nodes "+nodes)
	}
	return readMachine(r)
}

// virtualization are names of systemd-detect-virt that differ from the fact's.
var virtualization = map[string]string{"oracle": "virtualbox", "amazon": "kvm", "google": "kvm"}

// readMachine asks for memory, and whether the machine is a real one. In what
// sort of container the host is, systemd asks process 1, which may say nothing.
func readMachine(r Reading) error {
	out, err := output("awk", "-v", fmt.Sprint("step=", hardware.MemoryStep), `$1 == "MemTotal:" { mib = $2 / 1024; print int((mib + step - 0.001) / step) * step }`, "/proc/meminfo")
	if err != nil {
		return err
	}
	r.Must.add(Hardware, "memory "+strings.TrimSpace(out))
	// It fails where there is none, and says so.
	found, _ := exec.Command("systemd-detect-virt", "--vm").Output()
	switch virt := strings.TrimSpace(string(found)); virt {
	case "", "none":
	default:
		if name, differs := virtualization[virt]; differs {
			virt = name
		}
		r.Must.add(Hardware, "hypervisor "+virt)
	}
	var table struct {
		Devices []struct {
			Name      string `json:"name"`
			Type      string `json:"type"`
			Size      int64  `json:"size"`
			Spins     bool   `json:"rota"`
			Removable bool   `json:"rm"`
		} `json:"blockdevices"`
	}
	if err := outputJSON(&table, "lsblk", "-dbJ", "-o", "NAME,TYPE,SIZE,ROTA,RM"); err != nil {
		return err
	}
	for _, d := range table.Devices {
		if d.Type == "disk" && !d.Removable && !strings.HasPrefix(d.Name, "ram") && !strings.HasPrefix(d.Name, "zram") && !strings.HasPrefix(d.Name, "nbd") {
			r.Must.add(Hardware, fmt.Sprintf("disk %s %d spins=%v", d.Name, d.Size, d.Spins))
		}
	}
	return nil
}

// cpuField is a line of lscpu, which newer ones nest.
type cpuField struct {
	Field    string     `json:"field"`
	Data     string     `json:"data"`
	Children []cpuField `json:"children"`
}

func serviceHardware(assim, host string, r Records) error {
	facts, err := bodies[hardware.Facts](assim, host, hardware.Kind.Name)
	if err != nil {
		return err
	}
	for _, f := range facts {
		for name, n := range map[string]int64{"threads": f.CPU.Threads, "sockets": f.CPU.Sockets, "cores": f.CPU.Cores, "nodes": f.NUMANodes, "memory": f.MemoryMiB} {
			if n > 0 {
				r.add(Hardware, name+" "+strconv.FormatInt(n, 10))
			}
		}
		if f.Hypervisor != "" {
			r.add(Hardware, "hypervisor "+f.Hypervisor)
		}
		for _, d := range f.Disks {
			r.add(Hardware, fmt.Sprintf("disk %s %d spins=%v", d.Name, d.Bytes, d.Rotational))
		}
		if f.CPU.Model != "" {
			r.add(Hardware, "model "+f.CPU.Model)
		}
	}
	return nil
}
