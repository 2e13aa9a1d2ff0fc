package portable

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/mem"

	"assimilation/discovery"
	"assimilation/discovery/hardware"
	"assimilation/discovery/mounts"
	"assimilation/discovery/os"
)

const maxText = 256 // bytes of a name or a version

func asDegraded(err error, target **discovery.Degraded) bool { return errors.As(err, target) }

// basics returns the collectors of the kinds "os", "hardware" and "mounts".
func basics() []discovery.Collector {
	return []discovery.Collector{
		single(slowly(os.Kind, 15*time.Minute), func(ctx context.Context) (os.Facts, error) {
			info, err := host.InfoWithContext(ctx)
			if err != nil {
				return os.Facts{}, fmt.Errorf("asking what system this is: %w", err)
			}
			return system(*info), nil
		}),
		single(slowly(hardware.Kind, time.Hour), machine),
		single(slowly(mounts.Kind, 15*time.Minute), filesystems),
	}
}

func clean(text string) string { return discovery.Clean(text, maxText) }

// names of systems, as people call them.
var names = map[string]string{"windows": "Windows", "darwin": "macOS", "freebsd": "FreeBSD"}

func system(info host.InfoStat) os.Facts {
	name := cmp.Or(names[info.OS], info.OS)
	pretty := info.Platform
	if info.OS != "windows" { // which names itself whole: Microsoft Windows Server 2022 Standard
		pretty = name + " " + info.PlatformVersion
	}
	return os.Facts{
		Release: os.Release{
			ID: clean(info.OS), Name: clean(name), PrettyName: clean(pretty), VersionID: clean(info.PlatformVersion), Variant: clean(variant(info)),
		},
		Kernel: os.Kernel{
			Name: clean(map[string]string{"windows": "Windows NT", "darwin": "Darwin", "freebsd": "FreeBSD"}[info.OS]), Release: clean(info.KernelVersion),
			Machine: clean(info.KernelArch),
		},
	}
}

// variant tells a server from a workstation, where the system does.
func variant(info host.InfoStat) string {
	if info.OS == "windows" {
		return info.PlatformFamily
	}
	return ""
}

func machine(ctx context.Context) (hardware.Facts, error) {
	processors, err := cpu.InfoWithContext(ctx)
	if err != nil {
		return hardware.Facts{}, fmt.Errorf("asking for the processors: %w", err)
	}
	memory, err := mem.VirtualMemoryWithContext(ctx)
	if err != nil {
		return hardware.Facts{}, fmt.Errorf("asking for the memory: %w", err)
	}
	cores, err := cpu.CountsWithContext(ctx, false)
	if err != nil {
		cores = 0 // not every system tells
	}
	threads, err := cpu.CountsWithContext(ctx, true)
	if err != nil {
		threads = 0
	}
	virtual, role, err := host.VirtualizationWithContext(ctx)
	if err != nil || role != "guest" {
		virtual = ""
	}
	return hardwareOf(processors, memory.Total, cores, threads, virtual), nil
}

func hardwareOf(processors []cpu.InfoStat, memory uint64, cores, threads int, hypervisor string) hardware.Facts {
	facts := hardware.Facts{CPU: hardware.CPU{Cores: int64(cores), Threads: int64(threads)}, Hypervisor: clean(hypervisor)}
	const step = hardware.MemoryStep << 20
	facts.MemoryMiB = int64((memory + step - 1) / step * hardware.MemoryStep)
	sockets := map[string]bool{}
	for _, p := range processors {
		facts.CPU.Vendor, facts.CPU.Model = cmp.Or(facts.CPU.Vendor, clean(p.VendorID)), cmp.Or(facts.CPU.Model, clean(p.ModelName))
		if p.PhysicalID != "" {
			sockets[p.PhysicalID] = true
		}
	}
	facts.CPU.Sockets = int64(len(sockets))
	return facts
}

// remote are the types of filesystems that come from the network.
var remote = map[string]bool{"nfs": true, "smbfs": true, "afpfs": true, "webdav": true, "cifs": true}

func filesystems(ctx context.Context) (mounts.Facts, error) {
	partitions, err := disk.PartitionsWithContext(ctx, true)
	if err != nil {
		return mounts.Facts{}, fmt.Errorf("listing filesystems: %w", err)
	}
	return mounted(partitions, func(target string) int64 {
		usage, err := disk.UsageWithContext(ctx, target)
		if err != nil {
			return 0
		}
		return int64(usage.Total)
	}), nil
}

func mounted(partitions []disk.PartitionStat, size func(target string) int64) mounts.Facts {
	facts := mounts.Facts{Filesystems: []mounts.Filesystem{}}
	seen := map[string]bool{}
	for _, p := range partitions {
		if p.Mountpoint == "" || seen[p.Mountpoint] || p.Fstype == "devfs" || p.Fstype == "autofs" || p.Fstype == "fdescfs" {
			continue
		}
		seen[p.Mountpoint] = true
		f := mounts.Filesystem{Target: clean(p.Mountpoint), Source: clean(p.Device), Type: clean(p.Fstype), Remote: remote[p.Fstype], Options: []string{}}
		for _, o := range p.Opts {
			f.Options = append(f.Options, clean(o))
		}
		slices.Sort(f.Options)
		f.Options = slices.Compact(f.Options)
		if !f.Remote { // a server that is away would hold the asker
			f.Bytes = size(p.Mountpoint)
		}
		facts.Filesystems = append(facts.Filesystems, f)
	}
	slices.SortFunc(facts.Filesystems, func(a, b mounts.Filesystem) int { return cmp.Compare(a.Target, b.Target) })
	return facts
}
