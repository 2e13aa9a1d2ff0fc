package estate

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"

	"assimilation/discovery"
	"assimilation/discovery/checksums"
)

// Of the libraries of a program, so many are everybody's; they are numbered as the
// base packages that bring them.
const (
	baseLibraries = 12
	ownLibraries  = 14
)

// librariesOf are those of a program, by its name.
func librariesOf(program string) []string {
	var paths []string
	for n := range baseLibraries {
		paths = append(paths, libraryPath(n))
	}
	first := sha256.Sum256([]byte(program))
	for n := range ownLibraries {
		paths = append(paths, libraryPath(baseLibraries+(int(first[0])<<8|int(first[1])+n)%(basePackages-baseLibraries)))
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

func libraryPath(n int) string { return fmt.Sprintf("/usr/lib/x86_64-linux-gnu/lib%d.so.%d", n, 1+n%3) }

// fileSets makes the facts of checksums and keeps those that hosts share.
type fileSets struct {
	mu     sync.Mutex
	shared map[image][]discovery.Fact
}

func newFileSets() *fileSets { return &fileSets{shared: map[image][]discovery.Fact{}} }

// of makes the facts of an image's programs that listen; patches change them with
// the packages.
func (s *fileSets) of(i image) ([]discovery.Fact, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if facts, ok := s.shared[i]; ok {
		return facts, nil
	}
	sets := map[string]*checksums.Facts{}
	known := map[string]bool{}
	add := func(path, role, version string) {
		if known[path] {
			return
		}
		known[path] = true
		instance := checksums.Instance(path)
		if sets[instance] == nil {
			sets[instance] = &checksums.Facts{}
		}
		sum := sha256.Sum256([]byte(path + version))
		sets[instance].Files = append(sets[instance].Files, checksums.File{Path: path, Role: role, SHA256: hex.EncodeToString(sum[:]), Bytes: 20_000 + int64(sum[0])*1000})
	}
	for _, program := range []struct{ name, exe string }{{"sshd", "/usr/sbin/sshd"}, {programs[i.role].name, programs[i.role].exe}} {
		add(program.exe, "program", i.version(len(program.name)))
		libraries := librariesOf(program.name)
		for n := range basePackages {
			if slices.Contains(libraries, libraryPath(n)) {
				add(libraryPath(n), "library", i.version(n))
			}
		}
	}
	facts := make([]discovery.Fact, 0, len(sets))
	for n := range checksums.Instances {
		instance := fmt.Sprintf("%x", n)
		if sets[instance] == nil {
			continue
		}
		slices.SortFunc(sets[instance].Files, func(a, b checksums.File) int { return cmp.Compare(a.Path, b.Path) })
		fact, err := discovery.NewFact(checksums.Kind, instance, *sets[instance])
		if err != nil {
			return nil, err
		}
		facts = append(facts, fact)
	}
	s.shared[i] = facts
	return facts, nil
}
