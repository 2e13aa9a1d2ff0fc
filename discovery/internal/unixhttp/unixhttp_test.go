package unixhttp_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"assimilation/discovery/internal/unixhttp"
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
	if got, err := unixhttp.Get(t.Context(), path, "/large", limit); err != nil || len(got) != limit {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if got, err := unixhttp.Get(t.Context(), path, "/parts", limit); err != nil || string(got) != "part part part " {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := unixhttp.Get(t.Context(), path, "/larger", limit); err == nil {
		t.Error("a document that is too large was taken")
	}
	if _, err := unixhttp.Get(t.Context(), path, "/missing", limit); !errors.Is(err, unixhttp.Status(404)) {
		t.Errorf("error is %v", err)
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
		if _, err := unixhttp.Get(t.Context(), path, "/", limit); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: error %v, want %q", answer, err, want)
		}
	}
}

func TestNoServer(t *testing.T) {
	if _, err := unixhttp.Get(t.Context(), filepath.Join(t.TempDir(), "none"), "/", limit); !errors.Is(err, fs.ErrNotExist) {
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
	if _, err := unixhttp.Get(ctx, path, "/", limit); err == nil {
		t.Error("no error")
	}
}
