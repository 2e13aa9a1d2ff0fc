// Package collect makes facts of the kind "network".
package collect
