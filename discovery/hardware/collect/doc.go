// Package collect makes facts of the kind "hardware".
package collect
