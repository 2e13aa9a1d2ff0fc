// Package collect makes facts of the kind "dns".
package collect
