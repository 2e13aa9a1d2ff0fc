// Package filewatch tells when files are written or replaced, and when the
// content of directories changes, by inotify(7).
package filewatch
