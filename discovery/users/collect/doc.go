// Package collect makes facts of the kind "users".
package collect
