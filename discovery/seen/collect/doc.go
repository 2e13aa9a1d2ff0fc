// Package collect makes facts of the kind "seen".
package collect
