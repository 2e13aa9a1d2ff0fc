// Package collect makes facts of kind "certificates".
package collect
