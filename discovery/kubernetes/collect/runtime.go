package collect

import (
	"strings"

	"assimilation/discovery/internal/conffile"
	"assimilation/discovery/internal/jsontext"
	kind "assimilation/discovery/kubernetes"
)

// runtime is where a container runtime keeps the OCI specification of each container
// that runs (github.com/opencontainers/runtime-spec, config.md), and by which
// annotations of it the container is told from its pod's sandbox.
type runtime struct {
	name  string
	state string
	file  string // below the directory of a container
	// Names of annotations.
	sort, container, image, pod string
}

// containers completes the pods by what runs, and returns the runtime's name. Of a
// specification only some annotations are read: it holds the environment.
func (n node) containers(pods map[string]*kind.Pod) (name string) {
	runtimes := []runtime{
		{"containerd", n.state + "/io.containerd.runtime.v2.task/k8s.io", "/config.json",
			"io.kubernetes.cri.container-type", "io.kubernetes.cri.container-name", "io.kubernetes.cri.image-name", "io.kubernetes.cri.sandbox-uid"},
		{"cri-o", "/run/containers/storage/overlay-containers", "/userdata/config.json",
			"io.kubernetes.cri-o.ContainerType", "io.kubernetes.container.name", "io.kubernetes.cri-o.ImageName", "io.kubernetes.pod.uid"},
	}
	for _, r := range runtimes {
		if n.Stat(r.state) == nil {
			continue
		}
		name = r.name
		for _, id := range n.Dir(r.state) {
			if n.Stat(r.state+"/"+id+r.file) == nil { // it ends just now
				continue
			}
			text, _ := n.File(r.state + "/" + id + r.file)
			spec, err := jsontext.Parse(text)
			if err != nil {
				continue
			}
			said := spec.Get("annotations")
			pod := pods[conffile.Clean(said.Get(r.pod).Text())]
			if pod == nil || said.Get(r.sort).Text() != "container" {
				continue
			}
			if c := containerOf(pod, conffile.Clean(said.Get(r.container).Text())); c != nil {
				c.ID, c.Image = conffile.Clean(id), conffile.Clean(said.Get(r.image).Text())
			}
		}
	}
	return name
}

// containerOf is the container of that name, which the pod gets if it has none; nil
// for a pod that has too many.
func containerOf(pod *kind.Pod, name string) *kind.Container {
	for i := range pod.Containers {
		if pod.Containers[i].Name == name {
			return &pod.Containers[i]
		}
	}
	if name == "" || strings.Contains(name, "/") || len(pod.Containers) == maxContainers {
		return nil
	}
	pod.Containers = append(pod.Containers, kind.Container{Name: name})
	return &pod.Containers[len(pod.Containers)-1]
}
