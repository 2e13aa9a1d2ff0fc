package collect

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"assimilation/discovery"
	"assimilation/discovery/discoverytest"
	kind "assimilation/discovery/kubernetes"
)

const (
	shop  = "0b7a3c52-5e0f-4a86-9a0e-2f6f8d6a7c11"
	proxy = "1c8b4d63-6f10-4b97-8b1f-307090e7b822"
	api   = "9f2d1c0b9a8f7e6d5c4b3a2918070605" // of a manifest
	one   = "1111111111111111111111111111111111111111111111111111111111111111"
	two   = "2222222222222222222222222222222222222222222222222222222222222222"
)

func text(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }

const hosts = "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\nfe00::1\tip6-allnodes\n" +
	"10.244.1.4\tshop-0\n2001:db8::4\tshop-0\n\n# Entries added by HostAliases.\n10.1.2.3\tfoo.remote\n"

func containerd(kind, name, image, pod string) *fstest.MapFile {
	return text(`{"ociVersion":"1.1.0","process":{"env":["PASSWORD=hunter2"]},"annotations":{"io.kubernetes.cri.container-type":"` + kind +
		`","io.kubernetes.cri.container-name":"` + name + `","io.kubernetes.cri.image-name":"` + image + `","io.kubernetes.cri.sandbox-uid":"` + pod + `"}}`)
}

// control is a node of the control plane, made by kubeadm.
func control() fstest.MapFS {
	tasks := "run/containerd/io.containerd.runtime.v2.task/k8s.io/"
	pods := "var/lib/kubelet/pods/"
	return fstest.MapFS{
		"etc/kubernetes/kubelet.conf":                                               text("apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: aHVudGVyMg==\n    server: https://10.0.0.10:6443\n  name: default\nusers:\n- user:\n    token: hunter2\n"),
		"etc/kubernetes/manifests/kube-apiserver.yaml":                              text("kind: Pod\n"),
		pods + shop + "/etc-hosts":                                                  text(hosts),
		pods + proxy + "/etc-hosts":                                                 text("# Kubernetes-managed hosts file (host network).\n127.0.0.1\tlocalhost\n10.0.0.10\tnode\n"),
		pods + api + "/volumes/x":                                                   text(""),
		pods + "not a uid/x":                                                        text(""),
		"var/log/pods/default_shop-0_" + shop + "/init/0.log":                       text(""),
		"var/log/pods/default_shop-0_" + shop + "/web/0.log":                        text(""),
		"var/log/pods/kube-system_kube-proxy-x_" + proxy + "/kube-proxy/0.log":      text(""),
		"var/log/pods/kube-system_kube-apiserver-node_" + api + "/kube-apiserver/0": text(""),
		"var/log/pods/default_gone_" + one[:32] + "/web/0.log":                      text(""),
		"var/log/pods/odd":                                                          text(""),
		tasks + one + "/config.json":                                                containerd("container", "web", "docker.io/library/nginx:1.27", shop),
		tasks + two + "/config.json":                                                containerd("sandbox", "", "", shop),
		tasks + one[:63] + "a/config.json":                                          containerd("container", "kube-apiserver", "registry.k8s.io/kube-apiserver:v1.31.2", api),
		tasks + one[:63] + "b/config.json":                                          containerd("container", "kube-proxy", "registry.k8s.io/kube-proxy:v1.31.1@sha256:aa", proxy),
		tasks + one[:63] + "c/config.json":                                          text(`{"annotations":`),
		tasks + one[:63] + "d/init.pid":                                             text("7"),
	}
}

// worker is a node of k3s, whose containers cri-o runs.
func worker() fstest.MapFS {
	return fstest.MapFS{
		"var/lib/rancher/k3s/agent/kubelet.kubeconfig": text("clusters:\n- cluster:\n    server: 'https://127.0.0.1:6444'\n"),
		"var/lib/kubelet/pods/" + shop + "/etc-hosts":  text(hosts),
		"run/containers/storage/overlay-containers/" + one + "/userdata/config.json": text(`{"annotations":{"io.kubernetes.cri-o.ContainerType":"container",
 "io.kubernetes.container.name":"web","io.kubernetes.cri-o.ImageName":"docker.io/library/nginx:1.27","io.kubernetes.pod.uid":"` + shop + `"}}`),
	}
}

// closed is a system in which a file may not be read.
type closed struct{ fstest.MapFS }

func (c closed) Open(name string) (fs.File, error) {
	if strings.HasSuffix(name, "/config.json") {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return c.MapFS.Open(name)
}

func TestSuite(t *testing.T) {
	discoverytest.Suite(t, "..", kind.Kind,
		discoverytest.Case{Name: "control-plane", Collector: func(*testing.T) discovery.Collector { return New(control(), "") }},
		discoverytest.Case{Name: "worker", Collector: func(*testing.T) discovery.Collector { return New(worker(), "") }},
		discoverytest.Case{Name: "closed", Degraded: discovery.DACReadSearch, Collector: func(*testing.T) discovery.Collector { return New(closed{control()}, "") }},
		discoverytest.Case{Name: "none", Collector: func(*testing.T) discovery.Collector { return New(fstest.MapFS{}, "") }},
	)
}

func TestNoSecrets(t *testing.T) {
	facts, err := New(control(), "").Collect(t.Context())
	if err != nil || len(facts) != 1 {
		t.Fatalf("%d facts, %v", len(facts), err)
	}
	for _, secret := range []string{"hunter2", "aHVudGVyMg"} {
		if strings.Contains(string(facts[0].Body), secret) {
			t.Errorf("%s is in %s", secret, facts[0].Body)
		}
	}
}

// TestPodComes shows that the directory of a new pod asks for a collection.
func TestPodComes(t *testing.T) {
	dir := t.TempDir()
	pods := filepath.Join(dir, "var/lib/kubelet/pods")
	if err := os.MkdirAll(pods, 0o755); err != nil {
		t.Fatal(err)
	}
	c := New(os.DirFS(dir), dir)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	events, ended := make(chan struct{}, 1), make(chan error, 1)
	go func() {
		ended <- c.Watch(ctx, func() {
			select {
			case events <- struct{}{}:
			default:
			}
		})
	}()
	for told := false; !told; { // until the watch is there
		if err := os.Mkdir(filepath.Join(pods, shop), 0o755); err != nil {
			t.Fatal(err)
		}
		select {
		case <-events:
			told = true
		case err := <-ended:
			t.Fatalf("the watch ended: %v", err)
		default:
			if err := os.Remove(filepath.Join(pods, shop)); err != nil {
				t.Fatal(err)
			}
		}
	}
	facts, err := c.Collect(t.Context())
	if err != nil || len(facts) != 1 || !strings.Contains(string(facts[0].Body), shop) {
		t.Errorf("%d facts, %v", len(facts), err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func FuzzNode(f *testing.F) {
	f.Add(hosts, `{"annotations":{"io.kubernetes.cri.container-type":"container","io.kubernetes.cri.container-name":"a\u0000","io.kubernetes.cri.sandbox-uid":"`+shop+`"}}`, "server: x\n", "a_b_"+shop)
	f.Fuzz(func(t *testing.T, hosts, spec, config, log string) {
		facts, _ := New(fstest.MapFS{
			"var/lib/kubelet/pods/" + shop + "/etc-hosts": text(hosts), "etc/kubernetes/kubelet.conf": text(config),
			"run/containerd/io.containerd.runtime.v2.task/k8s.io/" + one + "/config.json": text(spec), "var/log/pods/" + log + "/x/0.log": text(""),
		}, "").Collect(t.Context())
		for _, fact := range facts {
			if err := fact.Check(); err != nil {
				t.Error(err)
			}
		}
	})
}

func BenchmarkCollect(b *testing.B) {
	c := Local()
	for b.Loop() {
		_, _ = c.Collect(b.Context())
	}
}
