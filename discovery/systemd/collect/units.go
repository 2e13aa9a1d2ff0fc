package collect

import (
	"maps"
	"path"
	"slices"
	"strings"

	"assimilation/discovery/internal/conffile"
	"assimilation/discovery/internal/redact"
	kind "assimilation/discovery/systemd"
)

// place is where a unit was found first, and a link's target there.
type place struct{ dir, link string }

// scanned is what the directories hold.
type scanned struct {
	reader  *conffile.Reader
	places  map[string]place
	dropIns map[string][]string // names of files, by unit
	wanted  map[string]string   // the directory in which a unit is enabled
	brief   map[string]bool     // services that run for a moment only
	bound   map[string]bool     // units with a condition that may keep them from starting
}

// scan lists all directories. Of several files of one name the first wins; drop-ins
// add up.
func scan(r *conffile.Reader) *scanned {
	s := &scanned{r, map[string]place{}, map[string][]string{}, map[string]string{}, map[string]bool{}, map[string]bool{}}
	for _, dir := range directories {
		if dir == "/lib/systemd/system" && r.Stat(vendor) != nil {
			continue
		}
		for _, name := range r.Dir(dir) {
			switch path.Ext(name) {
			case ".wants", ".requires", ".upholds":
				for _, unit := range r.Dir(dir + "/" + name) {
					s.enable(unit, dir)
				}
			case ".d":
				s.dropIn(strings.TrimSuffix(name, ".d"), dir+"/"+name)
			default:
				s.add(name, dir)
			}
		}
	}
	return s
}

func (s *scanned) add(name, dir string) {
	if !slices.Contains(types, strings.TrimPrefix(path.Ext(name), ".")) {
		return
	}
	link := s.reader.Link(dir + "/" + name)
	if link != "" && path.Base(link) != name && link != "/dev/null" && strings.HasPrefix(dir, "/etc/") {
		s.enable(path.Base(link), dir) // an Alias= that was enabled
	}
	if _, known := s.places[name]; known {
		return
	}
	if len(s.places) == maxUnits {
		s.reader.Limit()
		return
	}
	s.places[name] = place{dir, link}
}

func (s *scanned) enable(unit, dir string) {
	if s.wanted[unit] == "" && (strings.HasPrefix(dir, "/etc/") || strings.HasPrefix(dir, "/run/systemd/system")) {
		s.wanted[unit] = dir
	}
}

func (s *scanned) dropIn(unit, dir string) {
	for _, name := range s.reader.Dir(dir) {
		if strings.HasSuffix(name, ".conf") && !slices.Contains(s.dropIns[unit], name) {
			s.dropIns[unit] = append(s.dropIns[unit], conffile.Clean(name))
		}
	}
}

// names are those of all units that are more than an instance of a template.
func (s *scanned) names() []string { return slices.Sorted(maps.Keys(s.places)) }

// unit reads one unit with its drop-ins.
func (s *scanned) unit(name string) kind.Unit {
	at := s.places[name]
	u := kind.Unit{Name: conffile.Clean(name), DropIns: s.dropIns[name]}
	slices.Sort(u.DropIns)
	if at.dir != vendor && at.dir != "/lib/systemd/system" {
		u.Path = at.dir
	}
	file := at.dir + "/" + name
	if at.link == "/dev/null" {
		u.State = kind.Masked
		return u
	}
	if at.link != "" {
		file = at.link
		if !path.IsAbs(file) {
			file = path.Join(at.dir, file)
		}
		if base := path.Base(file); base != name && !instanceOf(name, base) {
			u.State, u.Of = kind.Alias, conffile.Clean(base)
			return u
		}
	}
	text, found := s.reader.File(file)
	if info := s.reader.Stat(file); found && text == "" && info != nil && info.Size() == 0 {
		u.State = kind.Masked // an empty file is as good as a link to /dev/null
		return u
	}
	installable, also := s.read(&u, text)
	for _, dropIn := range u.DropIns {
		for _, dir := range directories {
			if more, found := s.reader.File(dir + "/" + name + ".d/" + dropIn); found {
				s.read(&u, more)
				break
			}
		}
	}
	u.State = s.state(name, at.dir, installable, also)
	return u
}

// state is what systemctl is-enabled says of it.
func (s *scanned) state(name, dir string, installable, also bool) kind.State {
	switch wanted := s.wanted[name]; {
	case strings.HasPrefix(dir, "/run/systemd/generator"):
		return kind.Generated
	case dir == "/run/systemd/transient":
		return kind.Transient
	case strings.HasPrefix(wanted, "/run/"):
		return kind.Runtime
	case wanted != "":
		return kind.Enabled
	case installable && s.instanceWanted(name):
		return kind.Enabled // a template of which an instance is enabled
	case installable:
		return kind.Disabled
	case also:
		return kind.Indirect
	}
	return kind.Static
}

func (s *scanned) instanceWanted(template string) bool {
	if !strings.Contains(template, "@.") {
		return false
	}
	for unit := range s.wanted {
		if instanceOf(unit, template) {
			return true
		}
	}
	return false
}

// instanceOf reports whether "getty@tty1.service" is one of "getty@.service".
func instanceOf(unit, template string) bool {
	prefix, suffix, ok := strings.Cut(template, "@.")
	return ok && strings.HasPrefix(unit, prefix+"@") && strings.HasSuffix(unit, "."+suffix)
}

// read takes what matters of a file; an empty assignment takes back what was said
// before.
func (s *scanned) read(u *kind.Unit, text string) (installable, also bool) {
	for _, a := range conffile.Sections(text) {
		switch a.Name() {
		case "Install.WantedBy", "Install.RequiredBy", "Install.Alias", "Install.UpheldBy":
			installable = installable || a.Value != ""
		case "Install.Also", "Install.DefaultInstance":
			also = true
		case "Service.User":
			u.User = conffile.Clean(a.Value)
		case "Service.Type":
			s.brief[u.Name] = a.Value == "oneshot"
		case "Service.ExecStart", "Service.ExecStartPre", "Service.ExecStartPost":
			u.Exec = put(u.Exec, strings.Join(redact.Args(strings.Fields(a.Value)), " "))
		default:
			if a.Section == "Unit" && strings.HasPrefix(a.Key, "Condition") && !strings.HasPrefix(a.Value, "!") {
				s.bound[u.Name] = true
			}
			if a.Section == "Timer" && strings.HasPrefix(a.Key, "On") || a.Section == "Socket" && strings.HasPrefix(a.Key, "Listen") ||
				a.Section == "Path" && (strings.HasPrefix(a.Key, "Path") || strings.HasPrefix(a.Key, "Directory")) {
				value := a.Value
				if value != "" {
					value = a.Key + "=" + value
				}
				u.Triggers = put(u.Triggers, value)
			}
		}
	}
	return installable, also
}

func put(list []string, value string) []string {
	if value == "" {
		return nil
	}
	if len(list) == maxLines {
		return list
	}
	return append(list, conffile.Clean(value))
}

// running are the services with processes, by the cgroups of version 2 or 1. Those
// that run for a moment only are left out.
func (s *scanned) running() (all []string) {
	root := "/sys/fs/cgroup/systemd/system.slice"
	if s.reader.Stat("/sys/fs/cgroup/cgroup.controllers") != nil {
		root = "/sys/fs/cgroup/system.slice"
	}
	s.gather(root, 0, &all)
	slices.Sort(all)
	return slices.Compact(all)
}

// stopped are the enabled services without processes.
func (s *scanned) stopped(services []kind.Unit, running []string) (all []string) {
	for _, u := range services {
		if u.State == kind.Enabled && len(u.Exec) > 0 && !strings.Contains(u.Name, "@.") && !s.brief[u.Name] && !s.bound[u.Name] && !slices.Contains(running, u.Name) {
			all = append(all, u.Name)
		}
	}
	return all
}

// gather goes down into slices, in which templates have their instances.
func (s *scanned) gather(dir string, depth int, all *[]string) {
	for _, name := range s.reader.Dir(dir) {
		below := dir + "/" + name
		switch path.Ext(name) {
		case ".slice":
			if depth < 4 {
				s.gather(below, depth+1, all)
			}
		case ".service":
			if s.brief[name] || len(*all) == maxUnits {
				continue
			}
			events, v2 := s.reader.File(below + "/cgroup.events")
			if v2 && !strings.Contains(events, "populated 1") || !v2 && s.reader.Line(below+"/cgroup.procs") == "" {
				continue
			}
			*all = append(*all, conffile.Clean(strings.ReplaceAll(name, `\x2d`, "-")))
		}
	}
}
