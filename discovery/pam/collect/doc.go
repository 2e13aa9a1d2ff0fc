// Package collect makes facts of the kind "pam".
package collect
