// Package collect makes facts of the kind "systemd".
package collect
