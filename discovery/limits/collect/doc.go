// Package collect makes facts of the kind "limits".
package collect
