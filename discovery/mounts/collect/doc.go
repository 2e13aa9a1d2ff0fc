// Package collect makes facts of the kind "mounts".
package collect
