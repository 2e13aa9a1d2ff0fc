package furnished

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"assimilation/e2e/netns"
	"assimilation/e2e/world"
)

var (
	check  = flag.Bool("check", false, "compare; without it nothing is done, since the first time takes minutes and 600 MB")
	mutate = flag.Bool("mutate", false, "drop one record of each class: each must show")
)

// furnishWithin is how long the host's servers may take to be set up.
const furnishWithin = 3 * time.Minute

func TestThisHost(t *testing.T) {
	begin(t)
	w := world.New(t, world.Options{})
	_, relay := w.Relay(world.Node{Name: "relay"})
	w.Probe(world.Node{Name: "probe", Relay: relay})
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	w.HostUp(name, time.Minute)
	compare(t, w, build(t), name, "")
}

func TestFurnishedHost(t *testing.T) {
	begin(t)
	scripts := filepath.Join(world.Root(t), "e2e/furnished")
	root := filepath.Join(world.Root(t), ".dev/furnished")
	world.Run(t, nil, filepath.Join(scripts, "root.sh"), root)
	lab := netns.New(t, 1)
	w := world.New(t, world.Options{Listen: lab.Service + ":8080"})
	_, relay := w.Relay(world.Node{Name: "relay", Netns: lab.LAN, Listen: lab.Gateway + ":1984", HTTP: "127.0.0.1:1985"})

	share := t.TempDir()
	program := build(t)
	for _, file := range []string{filepath.Join(scripts, "furnish.sh"), filepath.Join(w.Bin, "assim-probe"), program} {
		carry(t, file, share)
	}
	host := world.Start(t, "host", func() *exec.Cmd {
		return exec.Command("ip", "netns", "exec", lab.Hosts[0].Netns,
			"unshare", "--mount", "--pid", "--fork", "--uts", "--ipc", "--kill-child",
			filepath.Join(scripts, "host.sh"), root, t.TempDir(), share, disk(t))
	})
	host.Says("the host is furnished", furnishWithin)
	enter := inside(t, host.PID())

	_, token := w.Token("probe")
	if err := os.WriteFile(filepath.Join(share, "token"), []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	world.Start(t, "probe", func() *exec.Cmd {
		line := strings.Fields(enter + " ASSIM_TOKEN_FILE=/opt/assim/token ASSIM_RELAY=" + relay + " /opt/assim/assim-probe run")
		return exec.Command(line[0], line[1:]...)
	})
	w.HostUp("furnished", time.Minute)
	compare(t, w, program, "furnished", enter+" /opt/assim/checktruth")
}

func begin(t *testing.T) {
	if !*check {
		t.Skip("make check-truth runs it")
	}
	if os.Getuid() != 0 {
		t.Fatal("needs root: the tools tell others less")
	}
}

// build makes the program that compares.
func build(t *testing.T) string {
	program := filepath.Join(t.TempDir(), "checktruth")
	world.Run(t, nil, "go", "build", "-trimpath", "-o", program, "assimilation/e2e/checktruth")
	return program
}

// settled is how long the first discovery may take: on a busy machine the probe rests
// after it has read files, and goes on with them later.
const settled = 15 * time.Minute

func compare(t *testing.T, w *world.World, program, host, enter string) {
	world.Eventually(t, settled, "the last kind", func() (bool, string) {
		out, err := w.Try("host", "facts", host, "checksums", "-o", "json")
		return err == nil && strings.TrimSpace(out) != "[]", out
	})
	cmd := exec.Command(program, "--assim", filepath.Join(w.Bin, "assim"), "--host", host, "--enter", enter, "--mutate="+strconv.FormatBool(*mutate))
	cmd.Env = append(os.Environ(), w.Config())
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	fmt.Printf("\n%s: what its tools say, and what the service says of it\n", host)
	if err := cmd.Run(); err != nil {
		t.Errorf("%s: %v", host, err)
	}
}

// inside is the command that runs another in the namespaces of the host whose
// first process is the child of pid; it takes assignments before the program.
func inside(t *testing.T, pid int) string {
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	first := strings.Fields(string(children))
	if err != nil || len(first) != 1 {
		t.Fatalf("the host has processes %q, %v", children, err)
	}
	return "nsenter --target " + first[0] + " --mount --pid --uts --ipc --net -- env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8"
}

// disk makes a disk and returns its name.
func disk(t *testing.T) string {
	image := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(image, make([]byte, 64<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	loop := strings.TrimSpace(world.Run(t, nil, "losetup", "--find", "--show", image))
	t.Cleanup(func() {
		if out, err := exec.Command("losetup", "--detach", loop).CombinedOutput(); err != nil {
			t.Errorf("losetup --detach %s: %v: %s", loop, err, out)
		}
	})
	return filepath.Base(loop)
}

// carry copies a program to where the host sees it.
func carry(t *testing.T, file, dir string) {
	from, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	to, err := os.OpenFile(filepath.Join(dir, filepath.Base(file)), os.O_WRONLY|os.O_CREATE, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(to, from); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
}
