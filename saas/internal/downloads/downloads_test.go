package downloads_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"assimilation/saas/internal/downloads"
	"assimilation/saas/internal/web"
)

// serve offers the files of a folder and returns the address.
func serve(t *testing.T, folder string) string {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	address, err := url.Parse("http://" + server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	service, err := downloads.New(folder, address, "1.2.3", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := service.Close(); err != nil {
			t.Error(err)
		}
	})
	log := slog.New(slog.DiscardHandler)
	front := web.New(web.Config{
		Hub: web.NewHub(nil, log), Log: log, Metrics: prometheus.NewRegistry(), URL: address, Version: "test",
		Ready: func(context.Context) error { return nil },
	})
	service.Mount(front)
	if server.Config.Handler, err = front.Handler(); err != nil {
		t.Fatal(err)
	}
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
}

func sha(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

func TestFilesAndChecksums(t *testing.T) {
	folder := t.TempDir()
	own := runtime.GOOS + "-" + runtime.GOARCH
	write(t, filepath.Join(folder, "assim-probe"), "own probe")
	write(t, filepath.Join(folder, "assim-relay-"+own), "own relay")
	write(t, filepath.Join(folder, "master.key"), "secret")
	base := serve(t, folder)

	for name, want := range map[string]string{
		"assim-probe": "own probe", "assim-probe-" + own: "own probe", "assim-relay": "own relay", "assim-relay-" + own: "own relay",
	} {
		if status, body := get(t, base+"/download/"+name); status != http.StatusOK || body != want {
			t.Errorf("%s: %d %q", name, status, body)
		}
	}
	_, sums := get(t, base+"/download/SHA256SUMS")
	for _, want := range []string{
		sha("own probe") + "  assim-probe\n", sha("own probe") + "  assim-probe-" + own + "\n", sha("own relay") + "  assim-relay-" + own + "\n",
	} {
		if !strings.Contains(sums, want) {
			t.Errorf("SHA256SUMS lacks %q:\n%s", want, sums)
		}
	}
	for _, unit := range []string{"assim-probe.service", "assim-relay.service"} {
		_, body := get(t, base+"/download/"+unit)
		if !strings.Contains(sums, sha(body)+"  "+unit+"\n") || !strings.Contains(body, "ExecStart=/usr/local/bin/") {
			t.Errorf("%s: not listed, or not a unit: %s", unit, body)
		}
	}
	// A new build is noticed.
	write(t, filepath.Join(folder, "assim-probe"), "a newer probe")
	if _, sums := get(t, base+"/download/SHA256SUMS"); !strings.Contains(sums, sha("a newer probe")+"  assim-probe\n") {
		t.Errorf("SHA256SUMS is old:\n%s", sums)
	}

	for _, path := range []string{
		"master.key", "..", "../downloads.go", "%2e%2e%2fdownloads.go", "..%2f..%2fetc%2fpasswd", "assim", "assim-probe-plan9-mips", "assim-probe%00", "",
	} {
		if status, body := get(t, base+"/download/"+path); status != http.StatusNotFound {
			t.Errorf("%q: %d %q", path, status, body)
		}
	}
}

func TestFolderMustExist(t *testing.T) {
	if _, err := downloads.New(filepath.Join(t.TempDir(), "none"), &url.URL{}, "", slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a folder that does not exist was opened")
	}
}

func TestScriptHoldsAddressAndChecksums(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, "assim-probe"), "probe")
	base := serve(t, folder)
	status, script := get(t, base+"/install.sh")
	if status != http.StatusOK || !strings.Contains(script, fmt.Sprintf("BASE='%s'\n", base)) || !strings.Contains(script, sha("probe")+"  assim-probe\n") {
		t.Errorf("%d %s", status, script)
	}
	if strings.Contains(script, "@BASE@") || strings.Contains(script, "@SUMS@") {
		t.Error("a place was not filled in")
	}
}
