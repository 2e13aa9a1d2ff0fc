// Package kubernetes is the kind "kubernetes": what a node of a cluster is in it,
// and which pods it has.
package kubernetes

import (
	"time"

	"assimilation/discovery"
)

// Kind is the kind "kubernetes": one instance, where there is a kubelet. It is read
// from the files of the kubelet and of the container runtime, by event; nothing is
// asked of the API server.
var Kind = discovery.Kind{
	Name: "kubernetes", Version: 1,
	After:    []string{"systemd"},
	Needs:    []discovery.Capability{discovery.DACReadSearch},
	Interval: 5 * time.Minute, Timeout: 10 * time.Second,
	Body: Facts{},
	Doc:  "the node's role in its cluster, and its pods with their containers and images",
}

// Facts is the body.
type Facts struct {
	Role         string `json:"role" class:"internal"`                 // control-plane, worker
	Distribution string `json:"distribution" class:"internal"`         // kubelet, k3s, rke2, microk8s
	Version      string `json:"version,omitempty" class:"internal"`    // "v1.31.2", as the images of the cluster's own programs say
	Server       string `json:"server,omitempty" class:"internal"`     // URL of the API server that the kubelet talks to
	Runtime      string `json:"runtime,omitempty" class:"internal"`    // containerd, cri-o
	Pods         []Pod  `json:"pods" key:"uid" title:"namespace,name"` // sorted by uid
}

// Pod is a pod that the kubelet keeps on the node.
type Pod struct {
	UID        string      `json:"uid" class:"internal"`
	Namespace  string      `json:"namespace" class:"internal"`
	Name       string      `json:"name" class:"internal"`
	Static     bool        `json:"static,omitempty" class:"internal"` // of a manifest in the node's own files
	IPs        []string    `json:"ips,omitempty" class:"internal"`    // not of a pod in the host's network
	Containers []Container `json:"containers,omitempty" key:"name"`
}

// Container is a container of a pod.
type Container struct {
	Name  string `json:"name" class:"internal"`
	Image string `json:"image,omitempty" class:"internal"`
	ID    string `json:"id,omitempty" class:"internal"` // as in the kind "containers"; "" while it does not run
}
