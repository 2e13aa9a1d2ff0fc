package collect

import (
	"encoding/json"
	"io/fs"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"assimilation/discovery"
	"assimilation/discovery/discoverytest"
	kind "assimilation/discovery/hardware"
)

// files makes a file system of names and contents.
func files(pairs map[string]string) fstest.MapFS {
	all := fstest.MapFS{}
	for name, content := range pairs {
		all[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return all
}

// closedFS refuses what only root may read.
type closedFS struct{ fs.FS }

func (c closedFS) Open(name string) (fs.File, error) {
	if strings.HasSuffix(name, "_serial") || strings.HasSuffix(name, "_uuid") {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return c.FS.Open(name)
}

const xeon = `processor	: 0
vendor_id	: GenuineIntel
model name	: Intel(R) Xeon(R) Silver 4310 CPU @ 2.10GHz
cpu MHz		: 2100.000
flags		: fpu vmx lm nx sse4_2 popcnt aes avx avx2 avx512f smep smap constant_tsc

processor	: 1
vendor_id	: not the first
flags		: hypervisor
`

var server = map[string]string{
	"proc/cpuinfo":                     xeon,
	"proc/meminfo":                     "MemTotal:       131658732 kB\nMemFree:          913 kB\n",
	"proc/1/cgroup":                    "0::/init.scope\n",
	"sys/devices/system/node/online":   "0-1\n",
	"sys/devices/system/cpu/present":   "0-7\n",
	"sys/devices/system/cpu/online":    "0-3,5\n",
	"sys/class/dmi/id/sys_vendor":      "Dell Inc.\n",
	"sys/class/dmi/id/product_name":    "PowerEdge R650\n",
	"sys/class/dmi/id/product_version": "To be filled by O.E.M.\n",
	"sys/class/dmi/id/product_serial":  "7XK2NV3\n",
	"sys/class/dmi/id/product_uuid":    "4C4C4544-0058-4B10-8032-B7C04F4E5633\n",
	"sys/class/dmi/id/bios_vendor":     "Dell Inc.\n",
	"sys/class/dmi/id/bios_version":    "1.9.2\n",
	"sys/class/dmi/id/bios_date":       "11/17/2022\n",
	"sys/devices/system/clocksource/clocksource0/available_clocksource": "tsc hpet acpi_pm \n",
	"sys/block/sda/size":                   "3750748848\n",
	"sys/block/sda/queue/rotational":       "1\n",
	"sys/block/sda/removable":              "0\n",
	"sys/block/sda/device/model":           "ST2000NX0463    \n",
	"sys/block/nvme0n1/size":               "1875385008\n",
	"sys/block/nvme0n1/device/model":       "Dell Ent NVMe\n",
	"sys/block/sdz/size":                   "1000\n", // a memory stick
	"sys/block/sdz/removable":              "1\n",
	"sys/block/sdz/device/model":           "stick\n",
	"sys/block/sr0/size":                   "0\n",
	"sys/block/sr0/device/model":           "DVD\n",
	"sys/block/dm-0/size":                  "1000\n",
	"sys/block/loop0/size":                 "1000\n",
	"sys/devices/system/cpu/cpu5/topology": "",
}

func withTopology(pairs map[string]string) fstest.MapFS {
	all := files(pairs)
	delete(all, "sys/devices/system/cpu/cpu5/topology")
	for cpu, siblings := range map[string][2]string{"0": {"0,2", "0"}, "2": {"0,2", "0"}, "1": {"1,3", "1"}, "3": {"1,3", "1"}, "5": {"5,7", "1"}} {
		dir := "sys/devices/system/cpu/cpu" + cpu + "/topology/"
		all[dir+"thread_siblings_list"] = &fstest.MapFile{Data: []byte(siblings[0] + "\n")}
		all[dir+"physical_package_id"] = &fstest.MapFile{Data: []byte(siblings[1] + "\n")}
	}
	return all
}

func TestSuite(t *testing.T) {
	over := func(root fs.FS) func(*testing.T) discovery.Collector {
		return func(*testing.T) discovery.Collector { return New(root) }
	}
	discoverytest.Suite(t, "..", kind.Kind,
		discoverytest.Case{Name: "server", Collector: over(withTopology(server))},
		discoverytest.Case{Name: "unprivileged", Collector: over(closedFS{withTopology(server)}), Degraded: discovery.DACReadSearch},
		discoverytest.Case{Name: "guest", Collector: over(files(map[string]string{
			"proc/cpuinfo":                  "vendor_id: AuthenticAMD\nmodel name: AMD EPYC\nflags: lm nx hypervisor\n",
			"proc/meminfo":                  "MemTotal: 4010320 kB\n",
			"sys/class/dmi/id/sys_vendor":   "QEMU\n",
			"sys/class/dmi/id/product_name": "Standard PC (Q35 + ICH9, 2009)\n",
			"sys/devices/system/clocksource/clocksource0/available_clocksource": "kvm-clock tsc\n",
			"run/systemd/container": "systemd-nspawn\n",
		}))},
		discoverytest.Case{Name: "board", Collector: over(files(map[string]string{
			"proc/cpuinfo":                               "processor\t: 0\nFeatures\t: fp asimd aes pmull sha2 crc32\nCPU implementer\t: 0x41\nCPU part\t: 0xd08\n",
			"sys/firmware/devicetree/base/model":         "Raspberry Pi 4 Model B Rev 1.4\x00",
			"sys/firmware/devicetree/base/serial-number": "10000000abcdef01\x00",
		}))},
		discoverytest.Case{Name: "silent", Collector: over(fstest.MapFS{})},
	)
}

func TestHypervisor(t *testing.T) {
	const clocks = "sys/devices/system/clocksource/clocksource0/available_clocksource"
	const vendor, product = "sys/class/dmi/id/sys_vendor", "sys/class/dmi/id/product_name"
	for name, test := range map[string]struct {
		files map[string]string
		want  string
	}{
		"real":              {map[string]string{vendor: "LENOVO", clocks: "tsc hpet"}, ""},
		"hyper-v":           {map[string]string{vendor: "Microsoft Corporation", product: "Virtual Machine"}, "microsoft"},
		"hyper-v clock":     {map[string]string{clocks: "hyperv_clocksource_tsc_page acpi_pm"}, "microsoft"},
		"surface":           {map[string]string{vendor: "Microsoft Corporation", product: "Surface Pro"}, ""},
		"vmware":            {map[string]string{vendor: "VMware, Inc."}, "vmware"},
		"emulated":          {map[string]string{vendor: "QEMU"}, "qemu"},
		"graviton":          {map[string]string{vendor: "Amazon EC2", product: "m7g.large"}, "kvm"},
		"rented whole":      {map[string]string{vendor: "Amazon EC2", product: "m7g.metal"}, ""},
		"xen guest":         {map[string]string{"sys/hypervisor/type": "xen\n", "proc/xen/capabilities": ""}, "xen"},
		"xen's own domain":  {map[string]string{"sys/hypervisor/type": "xen\n", "proc/xen/capabilities": "control_d\n"}, ""},
		"processor says it": {map[string]string{"proc/cpuinfo": "flags : hypervisor\n"}, "other"},
	} {
		if got := body(t, files(test.files)).Hypervisor; got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestContainer(t *testing.T) {
	for file, want := range map[string]string{".dockerenv": "docker", "run/.containerenv": "podman", "dev/.lxc": "lxc"} {
		if got := body(t, files(map[string]string{file: ""})).Container; got != want {
			t.Errorf("%s: %q, want %q", file, got, want)
		}
	}
	if got := body(t, files(map[string]string{"proc/1/cgroup": "1:name=systemd:/kubepods/x\n0::/\n"})).Container; got != "kubernetes" {
		t.Errorf("a pod is %q", got)
	}
}

func TestManyDisks(t *testing.T) {
	all := fstest.MapFS{}
	for i := range maxDisks + 1 {
		name := "sys/block/sd" + strings.Repeat("x", i) + "/"
		all[name+"size"] = &fstest.MapFile{Data: []byte("8\n")}
		all[name+"device/model"] = &fstest.MapFile{}
	}
	facts, err := New(all).Collect(t.Context())
	if err == nil || len(facts) != 1 || !strings.Contains(err.Error(), "more than 256 disks") {
		t.Errorf("%d facts, %v", len(facts), err)
	}
}

func body(t *testing.T, root fs.FS) kind.Facts {
	t.Helper()
	facts, err := New(root).Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var b kind.Facts
	if err := json.Unmarshal(facts[0].Body, &b); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestThisHost(t *testing.T) {
	facts, err := Local().Collect(t.Context())
	if len(facts) != 1 {
		t.Fatal(err)
	}
	var b kind.Facts
	if err := json.Unmarshal(facts[0].Body, &b); err != nil {
		t.Fatal(err)
	}
	if b.MemoryMiB == 0 || b.CPU.Threads < int64(runtime.NumCPU()) {
		t.Errorf("%+v", b)
	}
}

func FuzzCPU(f *testing.F) {
	f.Add(xeon, "0-3,5")
	f.Add("CPU implementer : 0x41", "0-99999999999,-1,3-,5-2")
	f.Fuzz(func(t *testing.T, text, online string) {
		facts, err := New(files(map[string]string{
			"proc/cpuinfo": text, "proc/meminfo": text, "sys/class/dmi/id/sys_vendor": text,
			"sys/devices/system/cpu/online": online, "sys/devices/system/cpu/present": online,
		})).Collect(t.Context())
		if err != nil || len(facts) != 1 {
			t.Error(err)
		}
	})
}

func BenchmarkCollect(b *testing.B) {
	c := Local()
	for b.Loop() {
		_, _ = c.Collect(b.Context())
	}
}
