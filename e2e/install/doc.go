// Package install runs the lines that people copy, on machines that reach nothing
// but what the lines name.
package install
