package collect

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"golang.org/x/sys/unix"

	"assimilation/discovery"
	"assimilation/discovery/discoverytest"
	kind "assimilation/discovery/time"
)

func file(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }

func TestSuite(t *testing.T) {
	over := func(files fstest.MapFS, state int, err error) func(*testing.T) discovery.Collector {
		return func(*testing.T) discovery.Collector {
			return New(files, "", func(*unix.Timex) (int, error) { return state, err })
		}
	}
	discoverytest.Suite(t, "..", kind.Kind,
		discoverytest.Case{Name: "chrony", Collector: over(fstest.MapFS{
			"etc/localtime":                      &fstest.MapFile{Data: []byte("/usr/share/zoneinfo/Europe/Berlin"), Mode: fs.ModeSymlink},
			"etc/adjtime":                        file("0.0 0 0.0\n0\nUTC\n"),
			"etc/chrony/chrony.conf":             file("# x\npool 2.debian.pool.ntp.org iburst # why\nserver 10.0.0.1 key 12 prefer\nserver 10.0.0.1\nkeyfile /etc/chrony/chrony.keys\nrefclock PHC /dev/ptp0\n"),
			"etc/chrony/sources.d/local.sources": file("server ntp.example iburst\n"),
			"etc/linuxptp/ptp4l.conf":            file("[global]\ndomainNumber 0\n[eth0]\n"),
		}, unix.TIME_OK, nil)},
		discoverytest.Case{Name: "timesyncd", Collector: over(fstest.MapFS{
			"etc/timezone": file("Etc/UTC\n"), "etc/systemd/timesyncd.conf": file("[Time]\n#NTP=\nNTP=a b\nFallbackNTP=c\n"),
			"etc/systemd/timesyncd.conf.d/x.conf": file("[Time]\nNTP=d\n"),
		}, unix.TIME_ERROR, nil)},
		discoverytest.Case{Name: "none", Collector: over(fstest.MapFS{}, 0, unix.EPERM)},
	)
}

func FuzzBody(f *testing.F) {
	f.Add("server a key\npool", "[Time]\nNTP=a a\n", "[x]\n[")
	f.Fuzz(func(t *testing.T, ntpConf, timesyncdConf, ptpConf string) {
		b := kind.Facts{Sources: ptp(timesyncd(ntp(nil, "ntp", ntpConf), timesyncdConf), ptpConf)}
		if _, err := discovery.NewFact(kind.Kind, "", b); err != nil {
			t.Error(err)
		}
	})
}
