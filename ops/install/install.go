// Package install holds the script that installs, upgrades and removes a relay or
// a probe. The service serves it to whoever has a token, a relay to the hosts of
// its site.
package install

import (
	_ "embed" // of the script
	"strings"
)

//go:embed install.sh
var script string

// Source is who serves the script.
type Source struct {
	Base string // URL before /install.sh and /download/
	Sums string // of what it offers, as sha256sum prints them
	// Pinned: no authority vouches for the server's certificate. Whoever got the
	// script knew the server by its key, and the script knows the files by Sums.
	Pinned bool
}

// Script is the script as a source serves it.
func Script(from Source) string {
	pinned := ""
	if from.Pinned {
		pinned = "1"
	}
	return strings.NewReplacer("'@BASE@'", quote(from.Base), "'@SUMS@'", quote(from.Sums), "'@PINNED@'", quote(pinned)).Replace(script)
}

// quote makes a word of the shell that means s.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
