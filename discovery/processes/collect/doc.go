// Package collect makes facts of kind "processes".
package collect
