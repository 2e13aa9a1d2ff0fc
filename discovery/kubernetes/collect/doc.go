// Package collect makes facts of kind "kubernetes".
package collect
