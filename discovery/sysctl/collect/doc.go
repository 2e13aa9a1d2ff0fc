// Package collect makes facts of the kind "sysctl".
package collect
