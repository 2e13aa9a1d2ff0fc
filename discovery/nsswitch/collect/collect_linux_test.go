package collect

import (
	"testing"

	"assimilation/discovery/internal/conffiletest"
	kind "assimilation/discovery/nsswitch"
)

func TestSuite(t *testing.T) {
	conffiletest.New(New).Suite(t, kind.Kind, map[string]string{
		"etc/nsswitch.conf": "# x\npasswd:         files systemd # why\nhosts: files mdns4_minimal [NOTFOUND=return] dns\nhosts : files\nbroken\n",
	})
}

func FuzzBody(f *testing.F) { conffiletest.New(New).Fuzz(f, kind.Kind, "etc/nsswitch.conf") }
