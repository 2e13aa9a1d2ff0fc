// Package collect makes facts of the kind "fileattrs".
package collect
