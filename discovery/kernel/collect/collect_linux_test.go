package collect

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/fstest"

	"assimilation/discovery"
	"assimilation/discovery/discoverytest"
	kind "assimilation/discovery/kernel"
)

func file(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }

const loaded = `ext4 917504 1 - Live 0xffffffffc0a00000
nvidia 56000000 3 nvidia_modeset,nvidia_uvm, Live 0xffffffffc0b00000 (POE)
leaving 16384 0 - Unloading 0xffffffffc0c00000 (O-)
broken
`

func TestSuite(t *testing.T) {
	over := func(files fstest.MapFS) func(*testing.T) discovery.Collector {
		return func(*testing.T) discovery.Collector { return New(files) }
	}
	discoverytest.Suite(t, "..", kind.Kind,
		discoverytest.Case{Name: "server", Collector: over(fstest.MapFS{
			"proc/cmdline":                                                    file("BOOT_IMAGE=/vmlinuz root=UUID=1 ro quiet rd.luks.key=hunter2 dyndbg=\"file a +p\"\n"),
			"proc/modules":                                                    file(loaded),
			"proc/sys/kernel/tainted":                                         file("12289\n"),
			"sys/kernel/security/lockdown":                                    file("none [integrity] confidentiality\n"),
			"sys/kernel/security/lsm":                                         file("lockdown,capability,landlock,yama,apparmor,bpf"),
			"sys/module/nvidia/version":                                       file("550.1\n"),
			"sys/module/nvidia/srcversion":                                    file("X\n"),
			"sys/devices/system/cpu/vulnerabilities/meltdown":                 file("Mitigation: PTI\n"),
			"sys/devices/system/cpu/vulnerabilities/l1tf":                     file("Not affected\n"),
			"sys/devices/system/clocksource/clocksource0/current_clocksource": file("tsc\n"),
			"sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c": file("\x06\x00\x00\x00\x01"),
		})},
		discoverytest.Case{Name: "container", Collector: over(fstest.MapFS{"proc/cmdline": file("")})},
	)
}

// TestThisHost holds the list of modules against lsmod(8).
func TestThisHost(t *testing.T) {
	facts, err := Local().Collect(t.Context())
	if len(facts) != 1 {
		t.Fatal(err)
	}
	if _, err := os.Stat("/proc/modules"); err != nil {
		t.Skip("this kernel has no modules")
	}
	if _, err := exec.LookPath("lsmod"); err != nil {
		t.Skip("no lsmod: apt-get install kmod")
	}
	out, err := exec.Command("lsmod").Output()
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		name, _, _ := strings.Cut(line, " ")
		if i > 0 && !strings.Contains(string(facts[0].Body), `"name":"`+name+`"`) {
			t.Errorf("module %s is missing", name)
		}
	}
}

func FuzzBody(f *testing.F) {
	f.Add("a=b \"c d", loaded, "4097", "[x")
	f.Fuzz(func(t *testing.T, cmdline, modules, tainted, lockdown string) {
		if _, err := New(fstest.MapFS{"proc/cmdline": file(cmdline), "proc/modules": file(modules),
			"proc/sys/kernel/tainted": file(tainted), "sys/kernel/security/lockdown": file(lockdown)}).Collect(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
