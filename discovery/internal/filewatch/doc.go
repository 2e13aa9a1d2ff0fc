// Package filewatch tells when files are written or replaced, by inotify(7).
package filewatch
