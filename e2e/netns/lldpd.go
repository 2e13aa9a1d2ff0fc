package netns

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"assimilation/e2e/world"
)

// speak starts the switch's lldpd: LLDP always, and CDP version 1 or 2 beside it
// on all switches but the third, which speaks LLDP alone.
func (s *Switch) speak(names Names) {
	t := s.fabric.t
	t.Helper()
	s.control = filepath.Join(openDir(t), fmt.Sprintf("sw%d.sock", s.Number))
	args := []string{"netns", "exec", s.Netns, "lldpd", "-dd", "-l", "-M", "4", "-O", "/dev/null",
		"-S", "test switch", "-P", "NS-24P", "-m", s.management, "-C", "p*", "-I", "p*", "-u", s.control}
	switch s.Number {
	case 1:
		args = append(args, "-cc")
	case 2:
		args = append(args, "-ccc")
	}
	world.Start(t, fmt.Sprintf("lldpd%d", s.Number), func() *exec.Cmd { return exec.Command("ip", args...) })
	world.Eventually(t, 30*time.Second, "lldpd's socket", func() (bool, string) {
		out, err := s.tell("show", "configuration")
		return err == nil, out
	})
	s.must("configure system hostname " + s.Name)
	s.must("configure lldp tx-interval 5")
	for _, h := range s.Hosts {
		s.name(h, names)
	}
}

// openDir is a folder that lldpd still enters when it has given up root's rights.
func openDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "lldpd")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// name sets what the switch tells the host at a port.
func (s *Switch) name(h *Wired, names Names) {
	s.fabric.t.Helper()
	port := "configure ports " + h.device + " "
	s.must(port + "lldp portidsubtype local " + h.Port + " description to-" + h.Name)
	s.must(port + "med location address country FR city Paris building " + names.Rack + s.Zone + " floor 1 room " + names.Room + s.Zone)
	s.must(port + "med location coordinate latitude 48.85667N longitude 2.35099E altitude 11 m datum WGS84")
	s.must("update")
}

func (s *Switch) must(command string) {
	t := s.fabric.t
	t.Helper()
	if out, err := s.tell(strings.Fields(command)...); err != nil {
		t.Fatalf("lldpcli %s: %v: %s", command, err, out)
	}
}

func (s *Switch) tell(args ...string) (string, error) {
	line := append([]string{"netns", "exec", s.Netns, "lldpcli", "-u", s.control}, args...)
	out, err := exec.Command("ip", line...).CombinedOutput()
	return string(out), err
}
