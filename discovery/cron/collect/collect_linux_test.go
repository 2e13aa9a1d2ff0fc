package collect

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"assimilation/discovery"
	kind "assimilation/discovery/cron"
	"assimilation/discovery/discoverytest"
)

func file(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s), Mode: 0o755} }

func system() fstest.MapFS {
	return fstest.MapFS{
		"etc/crontab": file("# m h\nSHELL=/bin/sh\nPATH = /usr/bin\n17 *\t* * *\troot    cd / && run-parts --report /etc/cron.hourly\n@reboot ada /opt/start --password=hunter2\n" +
			"@reboot ada /opt/start --password=hunter2\n1 2 3 4 5\nshort\n"),
		"etc/cron.d/site":                      file("*/5 * * * * www-data php /srv/cron.php\n"),
		"etc/cron.d/site.dpkg-old":             file("* * * * * root wrong\n"),
		"etc/cron.d/.placeholder":              file("# DO NOT EDIT\n"),
		"etc/cron.daily/logrotate":             file("#!/bin/sh\n"),
		"etc/cron.daily/off":                   &fstest.MapFile{Mode: 0o644},
		"etc/cron.daily/.placeholder":          file(""),
		"etc/cron.weekly/x.bak":                file(""),
		"etc/anacrontab":                       file("SHELL=/bin/sh\nSTART_HOURS_RANGE = 3-22\n1\t5\tcron.daily\trun-parts /etc/cron.daily\n@monthly 15 m run-parts x\n"),
		"var/spool/cron/crontabs/ada":          file("MAILTO=\"a b c d e f\"\n0 3 * * 1-5 backup --token abc\n"),
		"var/spool/cron/atjobs/a0000c01bd5e2a": file("secret"),
		"var/spool/cron/atjobs/.SEQ":           file("00001"),
	}
}

// closedFS refuses what only root may read.
type closedFS struct{ fs.FS }

func (c closedFS) Open(name string) (fs.File, error) {
	if strings.HasPrefix(name, "var/spool/cron/crontabs") {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return c.FS.Open(name)
}

func TestSuite(t *testing.T) {
	over := func(files fs.FS) func(*testing.T) discovery.Collector {
		return func(*testing.T) discovery.Collector { return New(files, "") }
	}
	discoverytest.Suite(t, "..", kind.Kind,
		discoverytest.Case{Name: "server", Collector: over(system())},
		discoverytest.Case{Name: "unprivileged", Collector: over(closedFS{system()}), Degraded: discovery.DACReadSearch},
		discoverytest.Case{Name: "none", Collector: over(fstest.MapFS{})},
	)
}

func FuzzCrontab(f *testing.F) {
	f.Add("* * * * * root x\n@reboot\n", "1 2 3 4\n=\n")
	f.Fuzz(func(t *testing.T, crontab, anacrontab string) {
		facts, err := New(fstest.MapFS{"etc/crontab": file(crontab), "etc/anacrontab": file(anacrontab)}, "").Collect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range facts {
			if _, err := discovery.Diff(kind.Kind, nil, f.Body); err != nil {
				t.Error(err)
			}
		}
	})
}
