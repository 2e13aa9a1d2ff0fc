// Package collect makes facts of the kind "time".
package collect
