// Package collect makes facts of the kind "sshd".
package collect
