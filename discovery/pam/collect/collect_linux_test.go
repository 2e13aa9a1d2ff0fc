package collect

import (
	"testing"
	"testing/fstest"

	"assimilation/discovery"
	"assimilation/discovery/discoverytest"
	kind "assimilation/discovery/pam"
)

func file(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }

const login = `# a comment
auth       optional   pam_faildelay.so  delay=3000000
auth [success=ok new_authtok_reqd=ok ignore=ignore user_unknown=bad default=die] pam_securetty.so # why
-session optional pam_systemd.so
AUTH required pam_ldap.so \
   bindpw=hunter2
@include common-account
session include other
short
odd required pam_x.so
`

func TestSuite(t *testing.T) {
	over := func(files fstest.MapFS) func(*testing.T) discovery.Collector {
		return func(*testing.T) discovery.Collector { return New(files, "") }
	}
	discoverytest.Suite(t, "..", kind.Kind,
		discoverytest.Case{Name: "server", Collector: over(fstest.MapFS{
			"etc/pam.d/login": file(login), "etc/pam.d/other": file("auth required pam_deny.so\n"), "usr/lib/pam.d/other": file("auth required pam_permit.so\n"),
		})},
		discoverytest.Case{Name: "none", Collector: over(fstest.MapFS{})},
	)
}

func FuzzParse(f *testing.F) {
	f.Add(login)
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := discovery.NewFact(kind.Kind, "", kind.Facts{Services: []kind.Service{parse(text)}}); err != nil {
			t.Error(err)
		}
	})
}
