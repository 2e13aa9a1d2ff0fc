// Package collect makes facts of the kind "kernel".
package collect
