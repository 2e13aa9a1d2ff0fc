// Package collect makes facts of the kind "sudoers".
package collect
