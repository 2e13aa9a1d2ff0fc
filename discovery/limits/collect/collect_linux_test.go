package collect

import (
	"testing"

	"assimilation/discovery/internal/conffiletest"
	kind "assimilation/discovery/limits"
)

func TestSuite(t *testing.T) {
	conffiletest.New(New).Suite(t, kind.Kind, map[string]string{
		"etc/security/limits.conf":      "# x\n*  soft core 0 # why\nada hard nofile 1024\nshort\n",
		"etc/security/limits.d/20.conf": "ada hard nofile 65536\n@dba - memlock unlimited\n",
		"etc/security/limits.d/x.txt":   "* hard core 0\n",
	})
}

func FuzzBody(f *testing.F) { conffiletest.New(New).Fuzz(f, kind.Kind, "etc/security/limits.conf") }
