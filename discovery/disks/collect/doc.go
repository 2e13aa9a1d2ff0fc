// Package collect makes facts of kind "disks".
package collect
