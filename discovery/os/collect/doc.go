// Package collect makes facts of the kind "os".
package collect
