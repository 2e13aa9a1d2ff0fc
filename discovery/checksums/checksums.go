// Package checksums is the kind "checksums": the content of the files that decide
// what strangers reach: programs that listen, what they load, and sensitive files.
package checksums

import (
	"hash/fnv"
	"time"

	"assimilation/discovery"
)

// Kind is the kind "checksums": up to 16 instances, by Instance. It follows the
// kind "sockets", whose services' files these are; without CAP_SYS_PTRACE their
// libraries are not known.
var Kind = discovery.Kind{
	Name: "checksums", Version: 1,
	After:    []string{"sockets"},
	Needs:    []discovery.Capability{discovery.SysPtrace, discovery.DACReadSearch},
	Interval: 15 * time.Minute, Timeout: 20 * time.Second,
	Body: Facts{},
	Doc:  "SHA-256 of programs that listen, their libraries and jars, and sensitive files",
}

// Instances is how many instances there are, so that one file is a small fact.
const Instances = 16

// Instance is the instance of a path: FNV-1a modulo 16, as a hexadecimal digit.
// It is part of the format: it never changes.
func Instance(path string) string {
	h := fnv.New32a()
	h.Write([]byte(path))
	return string("0123456789abcdef"[h.Sum32()%Instances])
}

// Facts is the body of one instance. One without files is not sent.
type Facts struct {
	Files []File `json:"files" key:"path"` // sorted by path
}

// File is one file.
type File struct {
	Path   string `json:"path" class:"internal"`
	Role   string `json:"role" class:"internal"`             // program, library, jar, sensitive
	SHA256 string `json:"sha256,omitempty" class:"internal"` // absent for a file that is larger than is read
	Bytes  int64  `json:"bytes" class:"internal"`
	// Stale: a process still runs what was here before; it was not restarted
	// since the file was replaced.
	Stale bool `json:"stale,omitempty" class:"internal"`
}
