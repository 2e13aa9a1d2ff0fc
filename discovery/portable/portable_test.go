package portable

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/host"

	"assimilation/discovery"
	"assimilation/discovery/mounts"
	"assimilation/discovery/network"
	"assimilation/discovery/packages"
	"assimilation/discovery/sockets"
	"assimilation/discovery/users"
)

// collect makes facts, and checks that a relay would take them.
func collect(t *testing.T, c discovery.Collector) []discovery.Fact {
	t.Helper()
	facts, err := c.Collect(t.Context())
	if degraded := (*discovery.Degraded)(nil); err != nil && !errors.As(err, &degraded) {
		t.Fatal(err)
	}
	for _, f := range facts {
		if err := f.Check(); err != nil {
			t.Errorf("%s %q: %v", f.Kind, f.Instance, err)
		}
	}
	return facts
}

func TestSystems(t *testing.T) {
	for _, c := range []struct {
		info         host.InfoStat
		pretty, name string
	}{
		{host.InfoStat{OS: "windows", Platform: "Microsoft Windows Server 2022 Standard", PlatformFamily: "Server", PlatformVersion: "10.0.20348.2700 Build 20348.2700", KernelArch: "x86_64"}, "Microsoft Windows Server 2022 Standard", "Windows NT"},
		{host.InfoStat{OS: "darwin", Platform: "darwin", PlatformFamily: "Standalone Workstation", PlatformVersion: "14.6.1", KernelVersion: "23.6.0", KernelArch: "arm64"}, "macOS 14.6.1", "Darwin"},
		{host.InfoStat{OS: "freebsd", Platform: "freebsd", PlatformVersion: "14.1-RELEASE", KernelVersion: "14.1-RELEASE-p5", KernelArch: "amd64"}, "FreeBSD 14.1-RELEASE", "FreeBSD"},
	} {
		got := system(c.info)
		if got.Release.PrettyName != c.pretty || got.Kernel.Name != c.name || got.Release.ID != c.info.OS || got.Kernel.Machine != c.info.KernelArch {
			t.Errorf("%s: %+v", c.info.OS, got)
		}
	}
}

func TestHardware(t *testing.T) {
	got := hardwareOf([]cpu.InfoStat{{VendorID: "GenuineIntel", ModelName: "Xeon", PhysicalID: "0"}, {PhysicalID: "1"}}, 8<<30-77<<20, 8, 16, "kvm")
	if got.CPU.Sockets != 2 || got.CPU.Model != "Xeon" || got.CPU.Cores != 8 || got.MemoryMiB != 8<<10 || got.Hypervisor != "kvm" {
		t.Errorf("%+v", got)
	}
}

func TestFilesystems(t *testing.T) {
	asked := ""
	got := mounted([]disk.PartitionStat{
		{Device: "zroot/usr", Mountpoint: "/usr", Fstype: "zfs", Opts: []string{"rw", "nfsv4acls", "rw"}},
		{Device: "/dev/ada0p2", Mountpoint: "/", Fstype: "ufs"},
		{Device: "nas:/export", Mountpoint: "/mnt", Fstype: "nfs"},
		{Device: "devfs", Mountpoint: "/dev", Fstype: "devfs"},
		{Device: "again", Mountpoint: "/", Fstype: "ufs"},
	}, func(target string) int64 { asked += target + " "; return 1 << 30 })
	want := []mounts.Filesystem{
		{Target: "/", Source: "/dev/ada0p2", Type: "ufs", Options: []string{}, Bytes: 1 << 30},
		{Target: "/mnt", Source: "nas:/export", Type: "nfs", Options: []string{}, Remote: true},
		{Target: "/usr", Source: "zroot/usr", Type: "zfs", Options: []string{"nfsv4acls", "rw"}, Bytes: 1 << 30},
	}
	if !reflect.DeepEqual(got.Filesystems, want) || asked != "/usr / " {
		t.Errorf("%+v, asked %q", got.Filesystems, asked)
	}
}

func TestLinksAndRoutes(t *testing.T) {
	mac, err := net.ParseMAC("02:fc:00:00:00:01")
	if err != nil {
		t.Fatal(err)
	}
	got := link(net.Interface{Name: "em0", MTU: 1500, HardwareAddr: mac, Flags: net.FlagUp | net.FlagRunning}, []net.Addr{
		&net.IPNet{IP: net.ParseIP("fe80::1"), Mask: net.CIDRMask(64, 128)}, &net.IPNet{IP: net.IPv4(10, 0, 0, 5).To4(), Mask: net.CIDRMask(24, 32)},
	})
	if got.MAC != mac.String() || got.OperState != "up" || len(got.Addresses) != 2 || got.Addresses[0] != (network.Address{IP: "10.0.0.5", Prefix: 24, Scope: "global"}) || got.Addresses[1].Scope != "link" {
		t.Errorf("%+v", got)
	}
	if lo := link(net.Interface{Name: "lo0", MTU: 16384, Flags: net.FlagUp | net.FlagLoopback}, nil); lo.Type != "loopback" || lo.MAC != "" {
		t.Errorf("%+v", lo)
	}
	gateway := netip.MustParseAddr("10.0.0.1")
	routes := routed([]Route{
		{destination: netip.MustParsePrefix("0.0.0.0/0"), gateway: gateway, device: "em0", static: true},
		{destination: netip.MustParsePrefix("0.0.0.0/0"), gateway: gateway, device: "em0"},
		{destination: netip.MustParsePrefix("10.0.0.0/24"), device: "em0"},
		{destination: netip.MustParsePrefix("10.0.0.5/32"), device: "lo0"},
		{destination: netip.MustParsePrefix("224.0.0.0/4"), device: "em0"},
		{},
	})
	if len(routes) != 2 || routes[0].Gateway != "10.0.0.1" || routes[0].Destination != "0.0.0.0/0" || routes[1].Scope != "link" {
		t.Errorf("%+v", routes)
	}
	facts := collect(t, links(func() ([]Route, error) { return nil, errors.New("not allowed") }))
	if len(facts) != 1 || !strings.Contains(string(facts[0].Body), "loopback") {
		t.Errorf("%v", facts)
	}
}

func TestServices(t *testing.T) {
	at := netip.MustParseAddrPort
	web := owner{name: "nginx.exe", exe: `C:\nginx\nginx.exe`, argv: []string{"nginx.exe", "--password", "hunter2"}, uid: 5}
	curl := owner{name: "curl", exe: "/usr/bin/curl", uid: 5}
	all := []Socket{
		{protocol: "tcp", local: at("0.0.0.0:443"), listening: true, owner: web},
		{protocol: "tcp", local: at("10.0.0.5:443"), remote: at("10.0.0.9:50001"), owner: web}, // its client's, not its own
		{protocol: "tcp", local: at("[fe80::1%em0]:53"), listening: true, owner: owner{uid: -1}},
		{protocol: "tcp", local: at("10.0.0.5:50002"), remote: at("10.0.0.7:5432"), owner: curl},
	}
	own := []netip.Addr{netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")}
	s := &remembered{clients: map[client]time.Time{}}
	begun := time.Now()
	facts, err := s.facts(all, own, begun)
	if err != nil || len(facts.Services) != 3 {
		t.Fatalf("%+v, %v", facts, err)
	}
	byName := map[string]sockets.Service{}
	for _, service := range facts.Services {
		byName[service.Name] = service
	}
	nginx := byName["nginx.exe"]
	if len(nginx.Listens) != 2 || nginx.Listens[0].Wildcard != "0.0.0.0" || len(nginx.Connects) != 0 || strings.Contains(strings.Join(nginx.Argv, " "), "hunter2") {
		t.Errorf("%+v", nginx)
	}
	if c := byName["curl"].Connects; len(c) != 1 || c[0].Port != 5432 {
		t.Errorf("%+v", c)
	}
	if l := byName["unknown"].Listens; len(l) != 1 || l[0].Device != "em0" || l[0].IP != "fe80::1" {
		t.Errorf("%+v", l)
	}
	// A client stays for a day after its last sight.
	if facts, err = s.facts(all[:1], own, begun.Add(23*time.Hour)); err != nil || len(facts.Services) != 2 {
		t.Errorf("%+v, %v", facts, err)
	}
	if facts, err = s.facts(all[:1], own, begun.Add(25*time.Hour)); err != nil || len(facts.Services) != 1 {
		t.Errorf("%+v, %v", facts, err)
	}
	collect(t, services(func(context.Context) ([]Socket, error) { return all, nil }))
}

func TestPkg(t *testing.T) {
	got, err := readPkg(strings.NewReader("nginx\t1.26.2_2,3\tFreeBSD:14:amd64\tBSD2CLAUSE\npkg\t1.21.3\tFreeBSD:14:amd64\tBSD2CLAUSE\nvim\t9.1\tFreeBSD:14:amd64\tVIM\nvim\t9.1\tFreeBSD:14:amd64\tGPLv2\n\nnonsense\n"))
	want := []packages.Package{
		{Name: "nginx", Version: "1.26.2_2,3", Arch: "FreeBSD:14:amd64", License: "BSD2CLAUSE"},
		{Name: "pkg", Version: "1.21.3", Arch: "FreeBSD:14:amd64", License: "BSD2CLAUSE"},
		{Name: "vim", Version: "9.1", Arch: "FreeBSD:14:amd64", License: "VIM GPLv2"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if facts := collect(t, installed("pkg", func(context.Context) ([]packages.Package, error) { return got, nil })); len(facts) != packages.Instances {
		t.Errorf("%d facts", len(facts))
	}
}

const plistHead = `<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd"><plist version="1.0"><dict>`

func TestReceipts(t *testing.T) {
	got, err := readReceipts(fstest.MapFS{
		"var/db/receipts/com.example.tool.plist":      {Data: []byte(plistHead + `<key>PackageIdentifier</key><string>com.example.tool</string><key>PackageVersion</key><string>1.2</string></dict></plist>`)},
		"Applications/Editor.app/Contents/Info.plist": {Data: []byte(plistHead + `<key>CFBundleIdentifier</key><string>org.example.Editor</string><key>CFBundleShortVersionString</key><string>9.0</string></dict></plist>`)},
		"var/db/receipts/damaged.plist":               {Data: []byte("bplist00\x00\x01")},
	}, "arm64")
	want := []packages.Package{
		{Name: "com.example.tool", Version: "1.2", Arch: "arm64"}, {Name: "damaged", Arch: "arm64"}, {Name: "org.example.Editor", Version: "9.0", Arch: "arm64"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestAccounts(t *testing.T) {
	passwd, err := readPasswd(strings.NewReader("# $FreeBSD$\nroot:*:0:0:Charlie &:/root:/bin/sh\ndaemon:*:1:1:Owner:/root:/usr/sbin/nologin\nbroken:line\n+:::::::\n"))
	if err != nil || len(passwd) != 2 || !passwd[0].Login || passwd[1].Login || passwd[0].Gecos != "Charlie &" {
		t.Errorf("%+v, %v", passwd, err)
	}
	groups, err := readGroup(strings.NewReader("wheel:*:0:root,ada\nempty:*:9:\n"))
	if err != nil || len(groups) != 2 || !reflect.DeepEqual(groups[0].Members, []string{"ada", "root"}) || groups[1].Members != nil {
		t.Errorf("%+v, %v", groups, err)
	}
	records, err := readRecords(strings.NewReader("NFSHomeDirectory: /Users/ada\nPrimaryGroupID: 20\nRealName:\n Ada Lovelace\nRecordName: ada com.apple.idms.appleid\nUniqueID: 501\nUserShell: /bin/zsh\n-\nRecordName: _www\nPrimaryGroupID: 70\nUniqueID: 70\nUserShell: /usr/bin/false\n-\nRecordName: nobody\nUniqueID: -2\nPrimaryGroupID: -2\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []users.User{
		{Name: "ada", UID: 501, GID: 20, Gecos: "Ada Lovelace", Home: "/Users/ada", Shell: "/bin/zsh", Login: true},
		{Name: "_www", UID: 70, GID: 70, Shell: "/usr/bin/false"}, {Name: "nobody", UID: -2, GID: -2},
	}
	if got := usersOf(records); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	records, err = readRecords(strings.NewReader("GroupMembership: root ada\nPrimaryGroupID: 80\nRecordName: admin BUILTIN\\Administrators\n"))
	if got := groupsOf(records); err != nil || len(got) != 1 || got[0].Name != "admin" || !reflect.DeepEqual(got[0].Members, []string{"ada", "root"}) {
		t.Errorf("%+v, %v", got, err)
	}
	collect(t, accounts(func(context.Context) (users.Facts, error) { return users.Facts{Users: want}, nil }))
}

// What gopsutil says of this host becomes facts as well.
func TestThisHost(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("All has its own on " + runtime.GOOS)
	}
	for _, c := range basics() {
		if facts := collect(t, c); len(facts) != 1 {
			t.Errorf("%s: %d facts", c.Kind().Name, len(facts))
		}
	}
}

func FuzzRecords(f *testing.F) {
	f.Add("a:\n b\n-\n c")
	f.Fuzz(func(t *testing.T, text string) {
		records, err := readRecords(strings.NewReader(text))
		if err == nil {
			usersOf(records)
			groupsOf(records)
		}
	})
}

func FuzzPkg(f *testing.F) {
	f.Add("a\tb\tc\td\n")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := readPkg(strings.NewReader(text))
		if err != nil {
			return
		}
		if _, err := split(packages.Kind, "pkg", all); err != nil {
			t.Error(err)
		}
	})
}

func FuzzReceipt(f *testing.F) {
	f.Add([]byte(plistHead + "</dict></plist>"))
	f.Add([]byte("bplist00"))
	f.Fuzz(func(t *testing.T, content []byte) {
		_, _ = readPlist(fstest.MapFS{"a": {Data: content}}, "a") // any error will do
	})
}
