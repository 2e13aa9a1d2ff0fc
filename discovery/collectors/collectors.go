// Package collectors lists the collectors that a probe runs.
package collectors

import "assimilation/discovery/certificates"

// Options are what the host's owner decides, and nobody else, about collectors that
// talk to others than the kernel.
type Options struct {
	CloudMetadata bool               // the cloud's link-local service may be asked, see the kind "cloud"
	Hello         certificates.Hello // which listeners are asked for their certificates
}
