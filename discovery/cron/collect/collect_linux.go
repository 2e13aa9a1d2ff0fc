package collect

import (
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	kind "assimilation/discovery/cron"
	"assimilation/discovery/internal/conffile"
	"assimilation/discovery/internal/redact"
)

// maxEntries bounds each list.
const maxEntries = 2048

// Where crontabs of users are, on Debian and its like, on Red Hat, on SUSE, on
// Alpine; and the queue of at.
var (
	spools  = []string{"/var/spool/cron/crontabs", "/var/spool/cron", "/var/spool/cron/tabs", "/etc/crontabs"}
	queues  = []string{"/var/spool/cron/atjobs", "/var/spool/at"}
	periods = []string{"hourly", "daily", "weekly", "monthly", "yearly"}
)

// New returns a collector of the system whose files are under root; path is where
// root stands in the file system.
func New(root fs.FS, path string) conffile.Watching {
	places := []string{"/etc/crontab", "/etc/anacrontab", "/etc/cron.d/"}
	for _, period := range periods {
		places = append(places, "/etc/cron."+period+"/")
	}
	for _, dir := range slices.Concat(spools, queues) {
		places = append(places, dir+"/")
	}
	return conffile.Watched(conffile.Source{Kind: kind.Kind, Places: places, Body: body}, root, path)
}

// Local returns the collector of this host.
func Local() conffile.Watching { return New(os.DirFS("/"), "") }

func body(r *conffile.Reader) any {
	c := crontabs{reader: r, facts: kind.Facts{Entries: []kind.Entry{}}}
	c.crontab("/etc/crontab", "")
	for _, name := range r.Dir("/etc/cron.d") {
		if runs(name) {
			c.crontab("/etc/cron.d/"+name, "")
		}
	}
	for _, dir := range spools {
		for _, user := range r.Dir(dir) {
			c.crontab(dir+"/"+user, user)
		}
	}
	c.anacrontab()
	for _, period := range periods {
		c.scripts(period)
	}
	for _, dir := range queues {
		c.once(dir)
	}
	if len(c.facts.Entries)+len(c.facts.Scripts)+len(c.facts.Once) == 0 {
		return nil
	}
	return c.facts
}

type crontabs struct {
	reader *conffile.Reader
	facts  kind.Facts
}

// crontab reads crontab(5); that of a user does not name one in each line.
func (c *crontabs) crontab(name, user string) {
	text, _ := c.reader.File(name)
	for _, line := range conffile.Lines(text) {
		count := 5
		if line[0] == '@' {
			count = 1
		}
		schedule, rest := fields(line, count)
		who := user
		if user == "" {
			who, rest = fields(rest, 1)
		}
		// An assignment is no schedule: that is digits, stars, names of days.
		if rest == "" || strings.ContainsAny(schedule, "=\"'") {
			continue
		}
		c.entry(kind.Entry{Source: name, Schedule: schedule, User: who, Command: rest})
	}
}

// anacrontab reads anacrontab(5): period in days, delay in minutes, name, command.
func (c *crontabs) anacrontab() {
	const name = "/etc/anacrontab"
	text, _ := c.reader.File(name)
	for _, line := range conffile.Lines(text) {
		period, rest := fields(line, 1)
		delay, rest := fields(rest, 1)
		_, command := fields(rest, 1)
		if command == "" || strings.Contains(period, "=") || strings.HasPrefix(rest, "=") {
			continue
		}
		if period[0] != '@' {
			period += " days"
		}
		c.entry(kind.Entry{Source: name, Schedule: period + " after " + delay + " minutes", Command: command})
	}
}

func (c *crontabs) entry(e kind.Entry) {
	e.Source, e.Schedule, e.User = conffile.Clean(e.Source), conffile.Clean(e.Schedule), conffile.Clean(e.User)
	e.Command = conffile.Clean(strings.Join(redact.Args(strings.Fields(e.Command)), " "))
	if slices.Contains(c.facts.Entries, e) {
		return
	}
	if len(c.facts.Entries) == maxEntries {
		c.reader.Limit()
		return
	}
	c.facts.Entries = append(c.facts.Entries, e)
}

func (c *crontabs) scripts(period string) {
	dir := "/etc/cron." + period
	for _, name := range c.reader.Dir(dir) {
		info := c.reader.Stat(dir + "/" + name)
		if name[0] == '.' || info == nil || !info.Mode().IsRegular() || len(c.facts.Scripts) == maxEntries {
			continue
		}
		off := info.Mode()&0o111 == 0 || !runs(name)
		c.facts.Scripts = append(c.facts.Scripts, kind.Script{Period: period, Name: conffile.Clean(name), Off: off})
	}
}

// runs reports whether cron and run-parts(8) take a file of that name: Debian's
// take letters, digits, "_" and "-", others any but leftovers of editors and
// packages.
func runs(name string) bool {
	for _, leftover := range []string{"~", ".bak", ".orig", ".rpmsave", ".rpmnew", ".rpmorig", ".swp", ".cfsaved", ",v"} {
		if strings.HasSuffix(name, leftover) {
			return false
		}
	}
	return name[0] != '.' && name[0] != '#' && !strings.Contains(name, ".dpkg-")
}

// once lists the jobs of at(1), whose names say it all: a letter for the queue, five
// hexadecimal digits for the number, eight for the minute since 1970.
func (c *crontabs) once(dir string) {
	for _, name := range c.reader.Dir(dir) {
		if len(name) != 14 || len(c.facts.Once) == maxEntries {
			continue
		}
		number, err := strconv.ParseUint(name[1:6], 16, 32)
		minute, minuteErr := strconv.ParseUint(name[6:], 16, 32)
		if err != nil || minuteErr != nil {
			continue
		}
		c.facts.Once = append(c.facts.Once, kind.Once{
			Job:  conffile.Clean(name[:1] + " " + strconv.FormatUint(number, 10)),
			Time: time.Unix(int64(minute)*60, 0).UTC().Format(time.RFC3339),
		})
	}
}

// fields takes the first words off a line, joined by one space.
func fields(line string, count int) (taken, rest string) {
	for range count {
		word := line
		if i := strings.IndexAny(line, " \t"); i >= 0 {
			word, line = line[:i], strings.TrimLeft(line[i:], " \t")
		} else {
			line = ""
		}
		if taken != "" && word != "" {
			taken += " "
		}
		taken += word
	}
	return taken, line
}
