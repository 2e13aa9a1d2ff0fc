package collect

import (
	"cmp"
	"io/fs"
	"os"
	"slices"
	"strings"

	"assimilation/discovery/internal/conffile"
	"assimilation/discovery/internal/order"
	kind "assimilation/discovery/kubernetes"
)

// distribution is where one of them keeps what the kubelet and its runtime know.
type distribution struct {
	name      string
	present   string // is there where it is installed
	kubelet   string // directory of the kubelet
	config    string // with which credentials, and where, it talks to the API server
	manifests string // of static pods
	control   string // is there on a node of the control plane
	state     string // of containerd's tasks
}

// distributions are those that are known, those first whose files are not also
// another's.
var distributions = []distribution{
	{"rke2", "/var/lib/rancher/rke2", "/var/lib/kubelet", "/var/lib/rancher/rke2/agent/kubelet.kubeconfig", "/var/lib/rancher/rke2/agent/pod-manifests", "/var/lib/rancher/rke2/server/db", "/run/k3s/containerd"},
	{"k3s", "/var/lib/rancher/k3s", "/var/lib/kubelet", "/var/lib/rancher/k3s/agent/kubelet.kubeconfig", "/var/lib/rancher/k3s/agent/pod-manifests", "/var/lib/rancher/k3s/server/db", "/run/k3s/containerd"},
	{"microk8s", "/var/snap/microk8s/current", "/var/snap/microk8s/common/var/lib/kubelet", "/var/snap/microk8s/current/credentials/kubelet.config", "", "/var/snap/microk8s/current/var/kubernetes/backend", "/var/snap/microk8s/common/run/containerd"},
	{"kubelet", "/var/lib/kubelet", "/var/lib/kubelet", "/etc/kubernetes/kubelet.conf", "/etc/kubernetes/manifests", "/etc/kubernetes/manifests/kube-apiserver.yaml", "/run/containerd"},
}

// places are the directories in which something comes or goes with a pod.
func places() (dirs []string) {
	for _, d := range distributions {
		for _, dir := range []string{d.kubelet + "/pods/", d.manifests + "/"} {
			if dir != "/" && !slices.Contains(dirs, dir) {
				dirs = append(dirs, dir)
			}
		}
	}
	return dirs
}

// New returns a collector of the system whose files are under root; path is where
// root stands in the file system.
func New(root fs.FS, path string) conffile.Watching {
	return conffile.Watched(conffile.Source{Kind: kind.Kind, Places: places(), Body: body}, root, path)
}

// Local returns the collector of this host.
func Local() conffile.Watching { return New(os.DirFS("/"), "") }

func body(r *conffile.Reader) any {
	for _, d := range distributions {
		if r.Stat(d.present) == nil || r.Stat(d.kubelet+"/pods") == nil {
			continue
		}
		n := node{r, d}
		facts := kind.Facts{Role: "worker", Distribution: d.name, Server: n.server()}
		if r.Stat(d.control) != nil {
			facts.Role = "control-plane"
		}
		pods := n.pods()
		facts.Runtime = n.containers(pods)
		facts.Pods = make([]kind.Pod, 0, len(pods))
		for _, p := range pods {
			order.By(p.Containers, func(a, b *kind.Container) int { return cmp.Compare(a.Name, b.Name) })
			facts.Pods = append(facts.Pods, *p)
		}
		order.By(facts.Pods, func(a, b *kind.Pod) int { return cmp.Compare(a.UID, b.UID) })
		facts.Version = version(facts.Pods)
		return facts
	}
	return nil
}

// node is one collection.
type node struct {
	*conffile.Reader
	distribution
}

// server takes the URL of the API server out of a kubeconfig, of which nothing else
// is a fact: it holds credentials.
func (n node) server() string {
	text, _ := n.File(n.config)
	for _, line := range conffile.Lines(text) {
		if value, is := strings.CutPrefix(line, "server:"); is {
			return conffile.Clean(strings.Trim(strings.TrimSpace(value), `"'`))
		}
	}
	return ""
}

// clusterImages are those of the cluster's own programs, whose tag is its version.
var clusterImages = []string{"kube-apiserver", "kube-proxy", "kube-scheduler", "kube-controller-manager", "hyperkube", "rke2-runtime", "hardened-kubernetes"}

// version is what the images of the cluster's own programs say, the API server's
// first.
func version(pods []kind.Pod) string {
	for _, want := range clusterImages {
		for _, p := range pods {
			for _, c := range p.Containers {
				image, _, _ := strings.Cut(c.Image[strings.LastIndexByte(c.Image, '/')+1:], "@")
				if name, tag, found := strings.Cut(image, ":"); found && name == want {
					return tag
				}
			}
		}
	}
	return ""
}
