package process

import (
	"slices"
	"strings"
	"testing"

	"assimilation/discovery"
)

func TestArguments(t *testing.T) {
	many := slices.Repeat([]string{"x"}, 200)
	for _, test := range []struct {
		line string
		want []string
	}{
		{"", nil},
		{"\x00\x00", nil},
		{"nginx\x00-g\x00\x00daemon off;\x00", []string{"nginx", "-g", "", "daemon off;"}},
		{"nginx: worker process\x00\x00\x00", []string{"nginx: worker process"}},
		{"postgres: walreceiver streaming 0/3000148", []string{"postgres: walreceiver streaming"}},
		{"postgres: 17/main: checkpointer ", []string{"postgres:"}},
		{"sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups", []string{"sshd:"}},
		{"/opt/a b", []string{"/opt/a b"}},
		{"a\x00--password\x00" + strings.Repeat("s", 1000), []string{"a", "--password", "***"}},
		{"a\x00" + strings.Repeat("y", 1000), []string{"a", strings.Repeat("y", maxArg)}},
		{"a\xff\n", []string{"a\uFFFD "}},
		{strings.Join(many, "\x00"), many[:maxArgs]},
	} {
		if got := arguments(test.line); !slices.Equal(got, test.want) {
			t.Errorf("%.60q:\n got %q\nwant %q", test.line, got, test.want)
		}
	}
}

func TestContainerID(t *testing.T) {
	id := strings.Repeat("0a", 32)
	for cgroup, want := range map[string]string{
		"0::/\n": "",
		"0::/system.slice/docker-" + id + ".scope\n":                               id,
		"12:pids:/docker/" + id + "\n0::/docker/" + id + "\n":                      id,
		"0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-" + id + ".scope\n": id,
		"0::/docker/" + strings.Repeat("b", 64) + "/docker/" + id:                  id,
		"0::/a/" + id + "0\n":                 "",
		"0::/a/" + strings.ToUpper(id) + "\n": "",
		"4:memory:/process_api/c20d09956dc158a778cb40bd7e1ff137\n0::/user.slice/user-1000.slice/x.scope\n": "",
	} {
		if got := containerID(cgroup); got != want {
			t.Errorf("%q: container %q, want %q", cgroup, got, want)
		}
	}
}

func TestUnit(t *testing.T) {
	for cgroup, want := range map[string]string{
		"0::/\n":                           "",
		"0::/system.slice/nginx.service\n": "nginx.service",
		"0::/system.slice/system-postgresql.slice/postgresql@17-main.service\n":                        "postgresql@17-main.service",
		"0::/user.slice/user-1000.slice/user@1000.service/app.slice/syncthing.service\n":               "syncthing.service",
		"0::/system.slice/containerd.service/kubepods/besteffort\n":                                    "containerd.service",
		"0::/user.slice/user-0.slice/session-3.scope\n":                                                "",
		"12:pids:/x.service\n1:name=systemd:/system.slice/ssh.service\n0::/system.slice/ssh.service\n": "ssh.service",
		"nonsense": "",
	} {
		if got := unit(cgroup); got != want {
			t.Errorf("%q: unit %q, want %q", cgroup, got, want)
		}
	}
}

func TestEffective(t *testing.T) {
	for ids, want := range map[string]int64{"\t0\t1000\t0\t0": 1000, "": -1, "1": -1, "1 x": -1, "1 -1": -1, "0 4294967295": 4294967295} {
		if got := effective(ids); got != want {
			t.Errorf("effective(%q) = %d, want %d", ids, got, want)
		}
	}
}

// FuzzArguments shows that any command line fits into a fact.
func FuzzArguments(f *testing.F) {
	f.Add("nginx: master\x00", "0::/docker/x")
	f.Add("a\x00--token=\xff\x00\x00", strings.Repeat("a", 64))
	f.Fuzz(func(t *testing.T, line, cgroup string) {
		argv := arguments(line)
		for _, arg := range argv {
			if len(arg) > maxArg {
				t.Errorf("argument of %d bytes", len(arg))
			}
		}
		for _, text := range append(argv, containerID(cgroup), unit(cgroup)) {
			if _, err := discovery.Canonical(text); err != nil {
				t.Error(err)
			}
		}
		if len(argv) > maxArgs {
			t.Errorf("%d arguments", len(argv))
		}
	})
}
