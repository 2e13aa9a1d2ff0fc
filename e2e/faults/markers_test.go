package faults_test

import (
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"assimilation/e2e/world"
)

// mustBeTold is how long a marker must stand so that its coming must be in the
// history, whatever was killed meanwhile.
const mustBeTold = 30 * time.Second

// marker is one change of the host that can be told from all others.
type marker struct {
	name   string // of the package, or argument of the listening program
	begin  func() // returns when it stands
	end    func()
	begun  time.Time
	stood  time.Duration
	inText string // what a change that adds it holds
}

// added counts the differences that say that the marker came.
func (m *marker) added(changes []change) (n int) {
	for _, c := range changes {
		for _, d := range c.Details {
			if d.Op == "added" && strings.Contains(d.Text, m.inText) {
				n++
			}
		}
	}
	return n
}

// change is what the API tells of one version of a fact.
type change struct {
	Details []struct{ Op, Text string }
	More    int
}

// markers come and go while the system is being killed.
type markers struct {
	t       *testing.T
	quit    chan struct{}
	done    sync.WaitGroup
	mu      sync.Mutex
	stood   []*marker
	dpkg    sync.Mutex // dpkg has a lock of its own, and fails instead of waiting
	workDir string
}

// startMarkers begins a new marker every few seconds; each stands for 20 to 45 s.
func startMarkers(t *testing.T, seed uint64) *markers {
	m := &markers{t: t, quit: make(chan struct{}), workDir: t.TempDir()}
	random := mathrand.New(mathrand.NewPCG(seed, 2))
	m.done.Go(func() {
		for i := 0; ; i++ {
			next := m.listener(i)
			if i%2 == 1 {
				next = m.debianPackage(i)
			}
			m.done.Go(func() { m.stand(next, time.Duration(20+random.IntN(25))*time.Second) })
			select {
			case <-m.quit:
				return
			case <-time.After(time.Duration(3+random.IntN(5)) * time.Second):
			}
		}
	})
	return m
}

// stop lets the markers that stand stand out their time, and returns those that
// stood for longer than mustBeTold.
func (m *markers) stop() []*marker {
	close(m.quit)
	m.done.Wait()
	return m.stood
}

func (m *markers) stand(k *marker, how time.Duration) {
	k.begin()
	k.begun = time.Now()
	<-time.After(how)
	k.stood = time.Since(k.begun)
	k.end()
	if k.stood > mustBeTold {
		m.mu.Lock()
		m.stood = append(m.stood, k)
		m.mu.Unlock()
	}
}

func (m *markers) listener(i int) *marker {
	address := world.FreeTCP(m.t)
	k := &marker{name: fmt.Sprintf("listener on %s", address), inText: "tcp " + address}
	var p *world.Process
	k.begin = func() { p = world.Peer(m.t, world.Node{}, "listen", address, fmt.Sprintf("marker-%d", i)) }
	k.end = func() { p.Kill() }
	return k
}

func (m *markers) debianPackage(i int) *marker {
	name := fmt.Sprintf("assim-marker-%d-%04d", os.Getpid(), i)
	k := &marker{name: "package " + name, inText: name}
	k.begin = func() {
		tree := filepath.Join(m.workDir, name)
		control := filepath.Join(tree, "DEBIAN", "control")
		if err := os.MkdirAll(filepath.Dir(control), 0o755); err != nil {
			m.t.Error(err)
		}
		text := "Package: " + name + "\nVersion: 1.0\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: a marker\n"
		if err := os.WriteFile(control, []byte(text), 0o644); err != nil {
			m.t.Error(err)
		}
		m.run("dpkg-deb", "--root-owner-group", "--build", tree, tree+".deb")
		m.run("dpkg", "-i", tree+".deb")
	}
	k.end = func() { m.run("dpkg", "--purge", name) }
	return k
}

func (m *markers) run(name string, args ...string) {
	m.dpkg.Lock()
	defer m.dpkg.Unlock()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		m.t.Errorf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
}
