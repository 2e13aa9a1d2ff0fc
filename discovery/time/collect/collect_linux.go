package collect

import (
	"io/fs"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"assimilation/discovery/internal/conffile"
	kind "assimilation/discovery/time"
)

const maxSources = 128

// files are those that name sources, by daemon.
var files = []struct{ daemon, pattern string }{
	{"chrony", "/etc/chrony.conf"}, {"chrony", "/etc/chrony/chrony.conf"}, {"chrony", "/etc/chrony/conf.d/*.conf"},
	{"chrony", "/etc/chrony.d/*.conf"}, {"chrony", "/etc/chrony/sources.d/*.sources"},
	{"ntp", "/etc/ntp.conf"}, {"ntp", "/etc/ntpsec/ntp.conf"}, {"ntp", "/etc/ntpsec/ntp.d/*.conf"},
	{"timesyncd", "/usr/lib/systemd/timesyncd.conf.d/*.conf"}, {"timesyncd", "/etc/systemd/timesyncd.conf"},
	{"timesyncd", "/etc/systemd/timesyncd.conf.d/*.conf"}, {"ptp4l", "/etc/linuxptp/ptp4l.conf"}, {"ptp4l", "/etc/ptp4l.conf"},
}

// New returns a collector of the system whose files are under root and whose clock
// adjtimex tells of; path is where root stands in the file system.
func New(root fs.FS, path string, adjtimex func(*unix.Timex) (int, error)) conffile.Watching {
	places := []string{"/etc/localtime", "/etc/timezone", "/etc/adjtime"}
	for _, f := range files {
		place, _, _ := strings.Cut(f.pattern, "*")
		places = append(places, place)
	}
	return conffile.Watched(conffile.Source{Kind: kind.Kind, Places: places, Body: func(r *conffile.Reader) any {
		facts := body(r)
		state, err := adjtimex(&unix.Timex{})
		facts.Synchronised = err == nil && state != unix.TIME_ERROR
		return facts
	}}, root, path)
}

// Local returns the collector of this host.
func Local() conffile.Watching { return New(os.DirFS("/"), "", unix.Adjtimex) }

func body(r *conffile.Reader) (f kind.Facts) {
	const zones = "/zoneinfo/"
	if link := r.Link("/etc/localtime"); strings.Contains(link, zones) {
		f.Zone = conffile.Clean(link[strings.Index(link, zones)+len(zones):])
	} else {
		f.Zone = r.Line("/etc/timezone")
	}
	text, _ := r.File("/etc/adjtime") // hwclock(8): the third line
	if lines := strings.Split(text, "\n"); len(lines) > 2 {
		f.HardwareClock = conffile.Clean(strings.TrimSpace(lines[2]))
	}
	for _, file := range files {
		for _, name := range r.Glob(file.pattern) {
			text, found := r.File(name)
			switch {
			case !found:
			case file.daemon == "timesyncd":
				f.Sources = timesyncd(f.Sources, text)
			case file.daemon == "ptp4l":
				f.Sources = ptp(f.Sources, text)
			default:
				f.Sources = ntp(f.Sources, file.daemon, text)
			}
		}
	}
	return f
}

// add leaves out what is named twice.
func add(list []kind.Source, s kind.Source) []kind.Source {
	if len(list) == maxSources || slices.ContainsFunc(list, func(o kind.Source) bool {
		return o.Daemon == s.Daemon && o.Type == s.Type && o.Address == s.Address
	}) {
		return list
	}
	return append(list, s)
}

// ntp reads chrony.conf(5) and ntp.conf(5), which name sources alike. The number of
// a key is none of the options that are told.
func ntp(list []kind.Source, daemon, text string) []kind.Source {
	for _, line := range conffile.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(conffile.Clean(line))
		if len(words) < 2 || !slices.Contains([]string{"server", "pool", "peer", "refclock"}, strings.ToLower(words[0])) {
			continue
		}
		options := words[2:]
		if i := slices.Index(options, "key"); i >= 0 {
			options = slices.Delete(options, i, min(i+2, len(options)))
		}
		list = add(list, kind.Source{Daemon: daemon, Type: strings.ToLower(words[0]), Address: words[1], Options: strings.Join(options, " ")})
	}
	return list
}

// timesyncd reads timesyncd.conf(5); what a later file says takes the place of what
// an earlier one said.
func timesyncd(list []kind.Source, text string) []kind.Source {
	for _, a := range conffile.Sections(text) {
		sort := ""
		switch a.Name() {
		case "Time.NTP":
			sort = "server"
		case "Time.FallbackNTP":
			sort = "fallback"
		default:
			continue
		}
		list = slices.DeleteFunc(list, func(o kind.Source) bool { return o.Daemon == "timesyncd" && o.Type == sort })
		for _, address := range strings.Fields(conffile.Clean(a.Value)) {
			list = add(list, kind.Source{Daemon: "timesyncd", Type: sort, Address: address})
		}
	}
	return list
}

// ptp reads ptp4l(8): a section for each interface.
func ptp(list []kind.Source, text string) []kind.Source {
	for _, line := range conffile.Lines(text) {
		if name := strings.Trim(line, "[]"); line[0] == '[' && name != "global" {
			list = add(list, kind.Source{Daemon: "ptp4l", Type: "interface", Address: conffile.Clean(name)})
		}
	}
	return list
}
