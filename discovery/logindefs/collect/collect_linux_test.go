package collect

import (
	"testing"

	"assimilation/discovery/internal/conffiletest"
	kind "assimilation/discovery/logindefs"
)

func TestSuite(t *testing.T) {
	conffiletest.New(New).Suite(t, kind.Kind, map[string]string{
		"etc/login.defs":     "# x\nUMASK\t\t022\nPASS_MAX_DAYS 99999\nENV_PATH PATH=/bin:/usr/bin\nUMASK 077\nNOVALUE\n",
		"usr/etc/login.defs": "PASS_MAX_DAYS 1\nPASS_MIN_LEN 8 # why\n",
	})
}

func FuzzBody(f *testing.F) { conffiletest.New(New).Fuzz(f, kind.Kind, "etc/login.defs") }
