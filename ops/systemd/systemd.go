// Package systemd holds the units under which relay and probe run, so that the
// service can hand them out with the programs.
package systemd

import "embed"

// Units holds <program>.service for each program that has a unit, and
// <program>-<right>.conf for each right beyond it that an owner may give.
//
//go:embed *.service *.conf
var Units embed.FS
