// Package cloud is the kind "cloud": which instance of which cloud the host is.
package cloud

import (
	"time"

	"assimilation/discovery"
)

// Kind is the kind "cloud": one instance, on a host in a cloud. It is read from the
// firmware's tables and from what cloud-init left. Only where the host's owner
// allows it is the cloud's own service asked, at its link-local address.
var Kind = discovery.Kind{
	Name: "cloud", Version: 1,
	Needs:    []discovery.Capability{discovery.DACReadSearch},
	Interval: time.Hour, Timeout: 10 * time.Second,
	Body: Facts{},
	Doc:  "which instance of which cloud the host is",
}

// Facts is the body.
type Facts struct {
	Provider string `json:"provider" class:"internal"` // aws, azure, gcp, openstack, digitalocean, hetzner...
	Instance string `json:"instance,omitempty" class:"internal"`
	Type     string `json:"type,omitempty" class:"internal"` // "m7i.large"
	Region   string `json:"region,omitempty" class:"internal"`
	Zone     string `json:"zone,omitempty" class:"topology"`
	Image    string `json:"image,omitempty" class:"internal"`   // from which the instance was made
	Account  string `json:"account,omitempty" class:"internal"` // or project, or subscription
	// Sources are who said so: "dmi", "cloud-init", "metadata". Sorted.
	Sources []string `json:"sources" class:"internal"`
}
