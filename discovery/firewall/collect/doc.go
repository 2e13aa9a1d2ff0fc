// Package collect makes facts of kind "firewall".
package collect
