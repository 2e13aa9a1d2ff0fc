// Package containers is the kind "containers": what runs, or is kept, in
// containers on the host.
package containers

import (
	"time"

	"assimilation/discovery"
)

// Kind is the kind "containers": one instance, where there is an engine or a
// container. Engines are asked through their sockets, which must be open to the
// probe; what is known of containers without that is from cgroups(7).
var Kind = discovery.Kind{
	Name: "containers", Version: 1,
	After:    []string{"sockets", "systemd"},
	Interval: 15 * time.Minute, Timeout: 20 * time.Second,
	Body: Facts{},
	Doc:  "containers with their images, addresses and ports",
}

// Facts is the body.
type Facts struct {
	Containers []Container `json:"containers" key:"id" title:"name"` // sorted by id
}

// Container is one container. Its environment is never read into a fact.
type Container struct {
	ID     string `json:"id" class:"internal"`     // 64 hexadecimal digits; the name where the engine has only that
	Engine string `json:"engine" class:"internal"` // docker, podman, containerd, cri-o, lxc, systemd-nspawn; "" unknown
	// Name and what follows come from an engine that answers; Name is the
	// beginning of ID otherwise.
	Name    string `json:"name" class:"internal"`
	State   string `json:"state" class:"internal"` // running, paused, stopped
	Image   string `json:"image,omitempty" class:"internal"`
	ImageID string `json:"image_id,omitempty" class:"internal"` // "sha256:...", of its configuration
	// Digests name the image at registries, "server/name@sha256:...", sorted.
	Digests  []string  `json:"digests,omitempty" class:"internal"`
	Restart  string    `json:"restart,omitempty" class:"internal"` // policy: always, unless-stopped, on-failure
	Ports    []Port    `json:"ports,omitempty" key:"protocol,port,host_ip,host_port"`
	Networks []Network `json:"networks,omitempty" key:"name"`
	Labels   []Label   `json:"labels,omitempty" key:"name"` // at most 64, their secrets replaced by "***"
}

// Port is a port of a container, and where the host passes it on from.
type Port struct {
	Protocol string `json:"protocol" class:"internal"`
	Port     int64  `json:"port" class:"internal"`
	HostIP   string `json:"host_ip,omitempty" class:"internal"`
	HostPort int64  `json:"host_port,omitempty" class:"internal"`
}

// Network is a network that a container is in, with its addresses while it runs.
type Network struct {
	Name string `json:"name" class:"internal"`
	IP   string `json:"ip,omitempty" class:"internal"`
	IPv6 string `json:"ipv6,omitempty" class:"internal"`
	MAC  string `json:"mac,omitempty" class:"internal"`
}

// Label is what somebody wrote on a container.
type Label struct {
	Name  string `json:"name" class:"personal"`
	Value string `json:"value" class:"personal"`
}
