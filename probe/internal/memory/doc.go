// Package memory keeps the probe small between two collections: most of its
// program, and of its heap, is for the first discovery.
package memory
