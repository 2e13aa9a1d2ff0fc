package collect

import (
	"context"
	"encoding/json"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"assimilation/discovery"
	kind "assimilation/discovery/containers"
	"assimilation/discovery/discoverytest"
	"assimilation/discovery/internal/plainhttp"
)

const (
	web  = "8d2a7c1f0e9b8a7d6c5b4a39281706f5e4d3c2b1a0998877665544332211ffee"
	old  = "0000000000000000000000000000000000000000000000000000000000000001"
	pod  = "1111111111111111111111111111111111111111111111111111111111111111"
	libp = "2222222222222222222222222222222222222222222222222222222222222222"
)

// answers are those of Docker 27.3, cut down; the environment is what no fact
// may hold.
var answers = map[string]string{
	"/containers/json": `[{"Id":"` + web + `","Names":["/shop-web-1"],"Image":"nginx:1.27","ImageID":"sha256:39286ab8a5e1","Command":"/docker-entrypoint.sh","Created":1730000000,
 "Ports":[{"IP":"0.0.0.0","PrivatePort":80,"PublicPort":8080,"Type":"tcp"},{"IP":"::","PrivatePort":80,"PublicPort":8080,"Type":"tcp"},{"PrivatePort":443,"Type":"tcp"},{"PrivatePort":443,"Type":"tcp"}],
 "Labels":{"com.docker.compose.project":"shop","traefik.basicauth.password":"hunter2","dsn":"postgres://ada:hunter2@db/shop"},
 "State":"running","Status":"Up 3 days","HostConfig":{"NetworkMode":"shop_default"},
 "NetworkSettings":{"Networks":{"shop_default":{"IPAddress":"172.18.0.2","GlobalIPv6Address":"","MacAddress":"02:42:ac:12:00:02"},"back":{"IPAddress":"10.9.0.2"}}}},
 {"Id":"` + old + `","Names":[],"Image":"sha256:aa","ImageID":"sha256:aa","Ports":[],"Labels":{},"State":"exited","NetworkSettings":{"Networks":{"bridge":{"IPAddress":""}}}},
 {"Id":"../../etc/passwd","Names":["/odd"]}]`,
	"/images/json":                 `[{"Id":"sha256:39286ab8a5e1","RepoDigests":["nginx@sha256:bb","mirror/nginx@sha256:bb"]},{"Id":"sha256:cc","RepoDigests":null}]`,
	"/containers/" + web + "/json": `{"Id":"` + web + `","Config":{"Env":["PASSWORD=hunter2"]},"HostConfig":{"RestartPolicy":{"Name":"unless-stopped","MaximumRetryCount":0}}}`,
	"/containers/" + old + "/json": `{"Config":{"Env":[]},"HostConfig":{"RestartPolicy":{"Name":"no"}}}`,
}

// engine serves the answers at a unix socket and returns how it is asked; every
// other socket is missing.
func engine(t *testing.T) func(context.Context, string, string, int) ([]byte, error) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, known := answers[r.URL.Path]
		if !known {
			http.NotFound(w, r)
			return
		}
		w.Write([]byte(answer))
	})}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	return func(ctx context.Context, socket, document string, limit int) ([]byte, error) {
		if socket != "/run/docker.sock" {
			return nil, fs.ErrNotExist
		}
		return plainhttp.Get(ctx, path, document, limit)
	}
}

func refuses(err error) func(context.Context, string, string, int) ([]byte, error) {
	return func(context.Context, string, string, int) ([]byte, error) { return nil, err }
}

func groups(names ...string) fs.FS {
	root := fstest.MapFS{}
	for _, name := range names {
		root["sys/fs/cgroup/"+name+"/cgroup.procs"] = &fstest.MapFile{}
	}
	return root
}

func TestSuite(t *testing.T) {
	discoverytest.Suite(t, "..", kind.Kind,
		discoverytest.Case{Name: "docker", Collector: func(t *testing.T) discovery.Collector {
			return New(groups("system.slice/docker-"+web+".scope", "system.slice/ssh.service"), "", engine(t))
		}},
		discoverytest.Case{Name: "cgroups", Collector: func(t *testing.T) discovery.Collector {
			return New(groups(
				"kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod3.slice/cri-containerd-"+pod+".scope/inner",
				"machine.slice/libpod-"+libp+".scope/container", "machine.slice/libpod-conmon-"+old+".scope",
				"lxc.payload.build/init.scope", "machine.slice/systemd-nspawn@web.service/payload", "docker/"+web,
				"system.slice/docker-"+web[:63]+".scope", "user.slice"), "", refuses(fs.ErrNotExist))
		}},
		discoverytest.Case{Name: "none", Collector: func(t *testing.T) discovery.Collector {
			return New(groups("system.slice/ssh.service"), "", refuses(fs.ErrNotExist))
		}},
	)
}

func TestNoSecrets(t *testing.T) {
	facts, err := New(groups(), "", engine(t)).Collect(t.Context())
	if err != nil || len(facts) != 1 || strings.Contains(string(facts[0].Body), "hunter2") {
		t.Errorf("%v, %v", facts, err)
	}
}

func TestClosedSocket(t *testing.T) {
	facts, err := New(groups("docker-"+web+".scope"), "", refuses(fs.ErrPermission)).Collect(t.Context())
	var body kind.Facts
	if len(facts) != 1 || json.Unmarshal(facts[0].Body, &body) != nil || len(body.Containers) != 1 {
		t.Fatalf("facts %v", facts)
	}
	if err == nil || !strings.Contains(err.Error(), "/run/docker.sock is not open to the probe") {
		t.Errorf("error is %v", err)
	}
}

// An engine that answers half is no proof that the other half has gone.
func TestBrokenEngine(t *testing.T) {
	for _, path := range []string{"/images/json", "/containers/" + web + "/json"} {
		ask := engine(t)
		facts, err := New(groups(), "", func(ctx context.Context, socket, document string, limit int) ([]byte, error) {
			if document == path {
				return []byte(`{"Id":`), nil
			}
			return ask(ctx, socket, document, limit)
		}).Collect(t.Context())
		if err == nil || len(facts) != 0 {
			t.Errorf("%s: %d facts, %v", path, len(facts), err)
		}
	}
}

// TestEngineAppears shows that an engine that begins to serve asks for its containers,
// as does a container that starts.
func TestEngineAppears(t *testing.T) {
	dir := t.TempDir()
	slice := filepath.Join(dir, "sys/fs/cgroup/system.slice")
	for _, d := range []string{slice, filepath.Join(dir, "run")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c := New(os.DirFS(dir), dir, engine(t))
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
	scope := filepath.Join(slice, "docker-"+web+".scope")
	for told := false; !told; { // until the watch is there
		if err := os.Mkdir(scope, 0o755); err != nil {
			t.Fatal(err)
		}
		select {
		case <-events:
			told = true
		case err := <-ended:
			t.Fatalf("the watch ended: %v", err)
		default:
			if err := os.Remove(scope); err != nil {
				t.Fatal(err)
			}
		}
	}
	socket, err := net.Listen("unix", filepath.Join(dir, "run/docker.sock"))
	if err != nil {
		t.Skipf("the path is too long for a socket: %v", err)
	}
	defer socket.Close()
	select {
	case <-events:
	case <-time.After(time.Minute):
		t.Error("nothing was heard of the socket")
	}
	if facts, err := c.Collect(t.Context()); err != nil || len(facts) != 1 {
		t.Errorf("%d facts, %v", len(facts), err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add(answers["/containers/json"], answers["/images/json"])
	f.Add(`[{"Id":"`+web+`","Ports":[{"PrivatePort":-1}],"Labels":{"a":"\u0000","a\u0000":"b"}}]`, `[]`)
	f.Fuzz(func(t *testing.T, list, images string) {
		facts, err := New(groups(), "", func(_ context.Context, _, document string, _ int) ([]byte, error) {
			switch {
			case strings.HasPrefix(document, "/containers/json"):
				return []byte(list), nil
			case document == "/images/json":
				return []byte(images), nil
			}
			return []byte("{}"), nil
		}).Collect(t.Context())
		for _, fact := range facts {
			if bad := fact.Check(); err == nil && bad != nil {
				t.Error(bad)
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
