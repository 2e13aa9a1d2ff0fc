// Package languagepackages is the kind "language-packages": what the package
// managers of programming languages have installed for the whole system.
package languagepackages

import (
	"time"

	"assimilation/discovery"
)

// Kind is the kind "language-packages": one instance. What the system's own
// package manager installed for a language is in the list too.
var Kind = discovery.Kind{
	Name: "language-packages", Version: 1,
	Needs:    []discovery.Capability{discovery.DACReadSearch},
	Interval: time.Hour, Timeout: 20 * time.Second,
	Body: Facts{},
	Doc:  "packages of Python, Node.js and Ruby installed for the whole system",
}

// Facts is the body.
type Facts struct {
	Packages []Package `json:"packages" key:"manager,name,version,place" title:"manager,name"` // sorted by these
}

// Package is one installed package.
type Package struct {
	Manager string `json:"manager" class:"internal"` // pip, npm, gem
	Name    string `json:"name" class:"internal"`    // of pip in lower case, with "-" for "_" and "."
	Version string `json:"version" class:"internal"`
	Place   string `json:"place" class:"internal"` // directory
}
