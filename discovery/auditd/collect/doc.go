// Package collect makes facts of the kind "auditd".
package collect
