// Package collect makes facts of the kind "packages".
package collect
