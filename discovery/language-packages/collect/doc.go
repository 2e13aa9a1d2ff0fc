// Package collect makes facts of kind "language-packages".
package collect
