// Package collect makes facts of the kind "neighbours".
package collect
