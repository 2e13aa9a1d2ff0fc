// Package collect makes facts of kind "cloud".
package collect
