package plainhttp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"assimilation/discovery/internal/plainhttp"
)

const limit = 1 << 16

// listen returns the path of a new socket and its listener.
func listen(t *testing.T) (string, net.Listener) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return path, l
}

// TestGet asks a real HTTP server.
func TestGet(t *testing.T) {
	path, l := listen(t)
	mux := http.NewServeMux()
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) { w.Write(bytes.Repeat([]byte("x"), limit)) })
	mux.HandleFunc("/larger", func(w http.ResponseWriter, _ *http.Request) { w.Write(bytes.Repeat([]byte("x"), limit+1)) })
	mux.HandleFunc("/parts", func(w http.ResponseWriter, _ *http.Request) {
		for range 3 {
			w.Write([]byte("part "))
			w.(http.Flusher).Flush()
		}
	})
	server := &http.Server{Handler: mux}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	if got, err := plainhttp.Get(t.Context(), path, "/large", limit); err != nil || len(got) != limit {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if got, err := plainhttp.Get(t.Context(), path, "/parts", limit); err != nil || string(got) != "part part part " {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := plainhttp.Get(t.Context(), path, "/larger", limit); err == nil {
		t.Error("a document that is too large was taken")
	}
	if _, err := plainhttp.Get(t.Context(), path, "/missing", limit); !errors.Is(err, plainhttp.Status(404)) {
		t.Errorf("error is %v", err)
	}
}

// TestAsk asks with another method and a header, and gives up in time.
func TestAsk(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, r.Method, r.Host, r.URL.Path, r.Header.Get("X-Ttl"))
	}))
	defer server.Close()
	address := netip.MustParseAddrPort(server.Listener.Addr().String())
	request := plainhttp.Request{Method: "PUT", Host: "metadata.example", Path: "/token", Header: []string{"X-Ttl: 60"}}
	got, err := plainhttp.Ask(t.Context(), address, request, limit)
	if err != nil || string(got) != "PUT metadata.example /token 60\n" {
		t.Errorf("%q, %v", got, err)
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := plainhttp.Ask(ctx, netip.MustParseAddrPort(silent.Addr().String()), request, limit); err == nil {
		t.Error("an answer came from nowhere")
	}
}

func TestOddAnswers(t *testing.T) {
	for answer, want := range map[string]string{
		"":                         "no end of the header",
		strings.Repeat("x", 1<<17): "no end of the header",
		"SSH-2.0\r\n\r\n":          "begins with",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n": "not asked for",
		"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nabc":                "3 bytes of a document",
		"HTTP/1.0 200 OK\r\nContent-Length: -1\r\n\r\nabc":               "3 bytes of a document",
	} {
		path, l := listen(t)
		go func() {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			conn.Read(make([]byte, 1024))
			conn.Write([]byte(answer))
		}()
		if _, err := plainhttp.Get(t.Context(), path, "/", limit); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: error %v, want %q", answer, err, want)
		}
	}
}

func TestNoServer(t *testing.T) {
	if _, err := plainhttp.Get(t.Context(), filepath.Join(t.TempDir(), "none"), "/", limit); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error is %v", err)
	}
}

// A server that never answers is left when the context ends.
func TestSilentServer(t *testing.T) {
	path, l := listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		if conn, err := l.Accept(); err == nil {
			conn.Read(make([]byte, 1024))
			cancel()
			<-t.Context().Done()
			conn.Close()
		}
	}()
	if _, err := plainhttp.Get(ctx, path, "/", limit); err == nil {
		t.Error("no error")
	}
}
