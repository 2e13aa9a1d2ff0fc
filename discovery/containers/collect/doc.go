// Package collect makes facts of kind "containers".
package collect
