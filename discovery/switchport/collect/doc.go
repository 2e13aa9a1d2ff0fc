// Package collect makes facts of the kind "switchport".
package collect
