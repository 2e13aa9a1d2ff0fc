// Package portable discovers on systems other than Linux what makes sense there: on
// Windows, macOS and FreeBSD, by their own interfaces as package gopsutil and the
// extended libraries of Go reach them. Bodies are those of the same kinds on Linux;
// what a system does not tell is left out.
//
// What asks the system is in files that name it, and small; what makes facts of the
// answers is not, so that it is tested anywhere.
package portable
