package truth

import (
	"os"
	"path/filepath"
	"strings"

	"assimilation/discovery/cron"
)

// crontabProgram prints schedule, user and command of lines that are neither
// comments nor assignments (crontab(5)); user is 1 where a line has one.
const crontabProgram = `/^[ \t]*(#|$)/ || /^[ \t]*[A-Za-z_][A-Za-z0-9_]*[ \t]*=/ { next }
	{ n = ($1 ~ /^@/) ? 1 : 5; schedule = $1; for (i = 2; i <= n; i++) schedule = schedule " " $i
	  sub(/^[ \t]+/, ""); for (i = 0; i < n; i++) sub(/^[^ \t]+[ \t]+/, "")
	  who = owner; if (user) { who = $1; sub(/^[^ \t]+[ \t]+/, "") }
	  print schedule " | " who " | " $0 }`

// periods are the directories of scripts.
var periods = []string{"hourly", "daily", "weekly", "monthly", "yearly"}

func readCron(r Reading) error {
	files, err := filepath.Glob("/etc/cron.d/*")
	if err != nil {
		return err
	}
	files = append(files, "/etc/crontab")
	for _, file := range files {
		if _, err := os.Stat(file); err != nil {
			continue
		}
		out, err := output("awk", "-v", "user=1", crontabProgram, file)
		if err != nil {
			return err
		}
		r.addCrontab(file, out)
	}
	tabs, err := filepath.Glob("/var/spool/cron/crontabs/*")
	if err != nil {
		return err
	}
	for _, file := range tabs {
		out, err := output("awk", "-v", "owner="+filepath.Base(file), crontabProgram, file)
		if err != nil {
			return err
		}
		r.addCrontab(file, out)
	}
	for _, period := range periods {
		dir := "/etc/cron." + period
		if _, err := os.Stat(dir); err != nil {
			continue
		}
		out, err := output("run-parts", "--test", dir)
		if err != nil {
			return err
		}
		for script := range strings.Lines(out) {
			r.Must.add(Cron, period+" | "+filepath.Base(strings.TrimSpace(script)))
		}
	}
	return readAt(r)
}

func (r Reading) addCrontab(file, out string) {
	for line := range strings.Lines(out) {
		r.Must.add(Cron, file+" | "+strings.TrimSpace(line))
	}
}

// readAt asks for jobs of at(1): number, time, queue and user.
func readAt(r Reading) error {
	out, err := optional("env", "TZ=UTC", "atq", "-o", "%Y-%m-%dT%H:%M:%SZ")
	if err != nil {
		return err
	}
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) >= 3 {
			r.Must.add(Cron, "once | "+f[2]+" "+f[0]+" | "+f[1])
		}
	}
	return nil
}

func serviceCron(assim, host string, r Records) error {
	facts, err := bodies[cron.Facts](assim, host, cron.Kind.Name)
	if err != nil {
		return err
	}
	for _, f := range facts {
		for _, e := range f.Entries {
			r.add(Cron, e.Source+" | "+e.Schedule+" | "+e.User+" | "+e.Command)
		}
		for _, s := range f.Scripts {
			if !s.Off {
				r.add(Cron, s.Period+" | "+s.Name)
			}
		}
		for _, o := range f.Once {
			r.add(Cron, "once | "+o.Job+" | "+o.Time)
		}
	}
	return nil
}
