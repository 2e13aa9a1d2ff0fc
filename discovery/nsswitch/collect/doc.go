// Package collect makes facts of the kind "nsswitch".
package collect
