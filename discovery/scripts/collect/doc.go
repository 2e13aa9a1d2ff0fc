// Package collect makes facts of the kind "scripts", and those of the scripts.
package collect
