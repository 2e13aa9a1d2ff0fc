package collect

import (
	"net/netip"
	"slices"
	"strings"

	"assimilation/discovery/internal/conffile"
	kind "assimilation/discovery/kubernetes"
)

// Limits of the fact.
const (
	maxPods       = 1024
	maxContainers = 64 // of one pod
	maxIPs        = 16
)

// logs is where the kubelet keeps the output of containers, a directory for each pod,
// named "namespace_name_uid".
const logs = "/var/log/pods"

// pods are those for which the kubelet has a directory, by uid, named by their logs.
// A static pod is one whose directory is named by the hash of its manifest.
func (n node) pods() map[string]*kind.Pod {
	found := map[string]*kind.Pod{}
	for _, uid := range n.Dir(n.kubelet + "/pods") {
		if len(found) == maxPods {
			n.Limit()
			break
		}
		if name := conffile.Clean(uid); isUID(name) {
			found[name] = &kind.Pod{UID: name, Static: !strings.Contains(name, "-"), IPs: n.addresses(name)}
		}
	}
	if n.Stat(logs) == nil {
		return found
	}
	for _, entry := range n.Dir(logs) {
		parts := strings.Split(conffile.Clean(entry), "_")
		if len(parts) != 3 || found[parts[2]] == nil {
			continue
		}
		pod := found[parts[2]]
		pod.Namespace, pod.Name = parts[0], parts[1]
		for _, container := range n.Dir(logs + "/" + entry) {
			containerOf(pod, conffile.Clean(container))
		}
	}
	return found
}

// isUID reports whether a name is a UUID, or the hash of a manifest.
func isUID(name string) bool {
	return len(name) >= 32 && len(name) <= 36 && strings.Trim(name, "0123456789abcdef-") == ""
}

// addresses are those that the kubelet wrote into the pod's own hosts(5).
func (n node) addresses(uid string) (ips []string) {
	hosts := n.kubelet + "/pods/" + uid + "/etc-hosts"
	if n.Stat(hosts) == nil {
		return nil
	}
	text, _ := n.File(hosts)
	// Of a pod in the host's network it is a copy of the host's own.
	if !strings.HasPrefix(text, "# Kubernetes-managed hosts file.\n") {
		return nil
	}
	text, _, _ = strings.Cut(text, "# Entries added by HostAliases.") // what follows stands in the pod's definition
	for _, line := range conffile.Lines(text) {
		word, _, _ := strings.Cut(line, "\t")
		ip, err := netip.ParseAddr(word)
		if err != nil || ip.IsLoopback() || ip.Zone() != "" || strings.HasPrefix(word, "fe00::") {
			continue
		}
		if text := ip.Unmap().String(); !slices.Contains(ips, text) && len(ips) < maxIPs {
			ips = append(ips, text)
		}
	}
	slices.Sort(ips)
	return ips
}
