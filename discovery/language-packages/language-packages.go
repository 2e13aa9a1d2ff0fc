// Package languagepackages is the kind "language-packages": what the package
// managers of programming languages have installed for the whole system, and what
// the programs that run were built of.
package languagepackages

import (
	"time"

	"assimilation/discovery"
)

// Kind is the kind "language-packages": one instance. What the system's own
// package manager installed for a language is in the list too. It follows the kind
// "sockets", whose services are the programs that are looked into.
var Kind = discovery.Kind{
	Name: "language-packages", Version: 1,
	After:    []string{"sockets"},
	Needs:    []discovery.Capability{discovery.SysPtrace, discovery.DACReadSearch},
	Interval: time.Hour, Timeout: 20 * time.Second,
	Body: Facts{},
	Doc:  "packages of Python, Node.js and Ruby of the whole system; modules, crates and jars of what runs",
}

// Facts is the body.
type Facts struct {
	Packages []Package `json:"packages" key:"manager,name,version,place" title:"manager,name"` // sorted by these
}

// Package is one installed package.
type Package struct {
	Manager string `json:"manager" class:"internal"` // pip, npm, gem, go, cargo, maven
	// Name is of pip in lower case, with "-" for "_" and "."; of maven
	// "group:artifact", or the artifact alone; "stdlib" is Go's own library.
	Name    string `json:"name" class:"internal"`
	Version string `json:"version" class:"internal"`
	Place   string `json:"place" class:"internal"` // directory; program of go and cargo; jar of maven
}
