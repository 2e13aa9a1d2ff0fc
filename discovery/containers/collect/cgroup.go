package collect

import (
	"io/fs"
	"path"
	"strings"

	kind "assimilation/discovery/containers"
)

// Limits of a walk through the cgroups.
const (
	maxGroups = 16 << 10
	maxDepth  = 10
)

// hierarchies are the places of cgroups: of version 2, and of version 1 those
// that every engine uses. The first that exists is read.
var hierarchies = []string{"sys/fs/cgroup/pids", "sys/fs/cgroup/systemd", "sys/fs/cgroup"}

// prefixes are how engines name the cgroup of a container, before its id.
var prefixes = []struct{ prefix, engine string }{
	{"docker-", "docker"},
	{"libpod-conmon-", ""}, // of the container's guardian
	{"libpod-", "podman"},
	{"cri-containerd-", "containerd"},
	{"crio-conmon-", ""},
	{"crio-", "cri-o"},
	{"lxc.payload.", "lxc"},
	{"systemd-nspawn@", "systemd-nspawn"},
}

// running returns the containers that have a cgroup, by id; whole is false where
// there are more cgroups than are looked at.
func running(root fs.FS) (found map[string]kind.Container, whole bool) {
	found, whole = map[string]kind.Container{}, true
	for _, top := range hierarchies {
		if _, err := fs.Stat(root, top); err != nil {
			continue
		}
		groups := 0
		depth := strings.Count(top, "/") + maxDepth
		_ = fs.WalkDir(root, top, func(name string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil: // it is gone, or not for us
				return fs.SkipDir
			case !entry.IsDir():
				return nil
			}
			if groups++; groups > maxGroups || strings.Count(name, "/") > depth {
				whole = false
				return fs.SkipDir
			}
			if c, is := containerOf(name); is {
				found[c.ID] = c
				return fs.SkipDir // what it has within is its own affair
			}
			return nil
		})
		break
	}
	return found, whole
}

// containerOf reads the name of a cgroup.
func containerOf(group string) (kind.Container, bool) {
	name := strings.TrimSuffix(strings.TrimSuffix(path.Base(group), ".scope"), ".service")
	engine := ""
	if path.Base(path.Dir(group)) == "docker" { // /docker/<id>, without systemd
		engine = "docker"
	}
	for _, p := range prefixes {
		id, has := strings.CutPrefix(name, p.prefix)
		if !has {
			continue
		}
		if p.engine == "" {
			return kind.Container{}, false
		}
		name, engine = id, p.engine
		break
	}
	if !isID(name) && engine != "lxc" && engine != "systemd-nspawn" {
		return kind.Container{}, false
	}
	short := name
	if isID(name) {
		short = name[:12]
	}
	return kind.Container{ID: clean(name), Engine: engine, Name: clean(short), State: "running"}, name != ""
}

// isID reports whether s is 64 hexadecimal digits.
func isID(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}
