// Package collect makes facts of kind "commands".
package collect
