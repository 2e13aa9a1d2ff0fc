// Package collect makes facts of kind "checksums".
package collect
