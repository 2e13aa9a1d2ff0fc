// Package collect makes facts of the kind "logindefs".
package collect
