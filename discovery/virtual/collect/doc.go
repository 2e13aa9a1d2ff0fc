// Package collect makes facts of kind "virtual".
package collect
