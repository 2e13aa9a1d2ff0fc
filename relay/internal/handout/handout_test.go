package handout_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"assimilation/relay/internal/handout"
	"assimilation/uplink"
)

// service gives files, or does not.
type service struct {
	mu    sync.Mutex
	files map[string]string
	asked int
}

func (s *service) fetch(_ context.Context, name string) (io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	content, ok := s.files[name]
	if !ok {
		return nil, errors.New("the line to the service is cut")
	}
	return io.NopCloser(strings.NewReader(content)), nil
}

func (s *service) put(name, content string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[name] = content
}

func program(name, content, version string) uplink.Program {
	hash := sha256.Sum256([]byte(content))
	return uplink.Program{Name: name, Size: int64(len(content)), Hash: hash[:], Version: version}
}

type running struct {
	*handout.Handout
	t       *testing.T
	address string
}

// run opens a Handout in a folder and runs it for as long as the test, or until stop.
func run(t *testing.T, folder string, s *service) (running, func()) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	h, err := handout.Open(handout.Config{Folder: folder, Listen: address, Address: address, Fetch: s.fetch, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { h.Run(ctx); close(ended) }()
	stop := sync.OnceFunc(func() {
		cancel()
		<-ended
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return running{h, t, address}, stop
}

// get asks as a host does: it knows the relay by its key alone.
func (r running) get(path string) (int, string) {
	r.t.Helper()
	pin := r.Report().Pin
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{
		InsecureSkipVerify: true,
		VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error {
			certificate, err := x509.ParseCertificate(raw[0])
			if err != nil {
				return err
			}
			hash := sha256.Sum256(certificate.RawSubjectPublicKeyInfo)
			if got := "sha256//" + base64.StdEncoding.EncodeToString(hash[:]); got != pin {
				return fmt.Errorf("key %s, want %s", got, pin)
			}
			return nil
		},
	}}}
	response, err := client.Get("https://" + r.address + path)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// await asks until the answer holds a text.
func (r running) await(path string, status int, text string) {
	r.t.Helper()
	within(r.t, func() error {
		if got, body := r.get(path); got != status || !strings.Contains(body, text) {
			return fmt.Errorf("%s: %d %q, want %d and %q", path, got, body, status, text)
		}
		return nil
	})
}

// awaitProblem asks until the report has a problem.
func (r running) awaitProblem(text string) {
	r.t.Helper()
	within(r.t, func() error {
		if problem := r.Report().Problem; !strings.Contains(problem, text) {
			return fmt.Errorf("problem %q, want %q", problem, text)
		}
		return nil
	})
}

// within tries until there is no error. It outlasts a second try to listen, a
// minute after somebody else had the port for a moment.
func within(t *testing.T, try func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); <-time.After(20 * time.Millisecond) {
		if err = try(); err == nil {
			return
		}
	}
	t.Fatal(err)
}

func TestHostsGetWhatTheServiceHasSigned(t *testing.T) {
	s := &service{files: map[string]string{"assim-probe-linux-amd64": "probe 1", "assim-probe.service": "unit"}}
	folder := filepath.Join(t.TempDir(), "install")
	r, stop := run(t, folder, s)
	r.await("/install.sh", 503, "nothing here yet")
	if _, address, _ := r.Asking(); address != "" {
		t.Errorf("hosts are sent to %s, where nothing is", address)
	}
	one := []uplink.Program{program("assim-probe-linux-amd64", "probe 1", "1.0"), program("assim-probe.service", "unit", "1.0")}
	r.Told(one)
	r.await("/install.sh", 200, "https://"+r.address)
	r.await("/download/assim-probe-linux-amd64", 200, "probe 1")
	r.await("/download/SHA256SUMS", 200, fmt.Sprintf("%x  assim-probe.service\n", one[1].Hash))
	r.await("/download/..%2fkey.pem", 404, "unknown")
	r.await("/download/key.pem", 404, "unknown")
	r.await("/", 404, "unknown")
	programs, address, key := r.Asking()
	if hash := uplink.ProgramsHash(one); !bytes.Equal(programs, hash[:]) || address != r.address || handout.Pin([32]byte(key)) != r.Report().Pin {
		t.Errorf("asks with %x, %q, %x", programs, address, key)
	}

	// A newer list of which not all is here yet, or not what was signed.
	s.put("assim-probe-linux-amd64", "not what was signed")
	two := []uplink.Program{program("assim-probe-linux-amd64", "probe 2", "2.0"), one[1]}
	r.Told(two)
	r.awaitProblem("not what the service has signed")
	r.await("/download/assim-probe-linux-amd64", 200, "probe 1")
	pin := r.Report().Pin
	stop()

	// The relay starts again while the service cannot be reached.
	r, _ = run(t, folder, &service{})
	r.await("/download/assim-probe-linux-amd64", 200, "probe 1")
	if r.Report().Pin != pin {
		t.Error("lines that were copied before name another key")
	}
	r.Told(two)
	if _, err := r.Take(strings.NewReader("probe 3")); !errors.Is(err, handout.ErrUnwanted) {
		t.Errorf("a file that nobody signed: %v", err)
	}
	if file, err := r.Take(strings.NewReader("probe 2")); err != nil || file.Name != "assim-probe-linux-amd64" || !file.Here {
		t.Errorf("a file from a person: %+v, %v", file, err)
	}
	r.await("/download/assim-probe-linux-amd64", 200, "probe 2")
	// What is no longer handed out goes a moment after.
	within(t, func() error {
		left, err := filepath.Glob(filepath.Join(folder, "*"))
		if err != nil || len(left) != 4 { // key, list, two files
			return fmt.Errorf("left: %v, %v", left, err)
		}
		return nil
	})
}

func TestTooMuchIsNotFetched(t *testing.T) {
	s := &service{files: map[string]string{}}
	r, _ := run(t, t.TempDir(), s)
	list := []uplink.Program{}
	for i := range 5 {
		p := program(fmt.Sprint("assim-probe-", i), "x", "1")
		p.Size = uplink.MaxProgram
		list = append(list, p)
	}
	r.Told(list)
	r.awaitProblem("more than")
	if s.asked != 0 {
		t.Errorf("%d files were asked for", s.asked)
	}
}

// Whoever reaches the relay's local port fills no disk by many files at a time.
func TestOneFileIsTakenAtATime(t *testing.T) {
	r, _ := run(t, t.TempDir(), &service{})
	from, to := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		_, err := r.Take(from)
		ended <- err
	}()
	if _, err := to.Write([]byte("half")); err != nil { // it is read
		t.Fatal(err)
	}
	if _, err := r.Take(strings.NewReader("x")); !errors.Is(err, handout.ErrTaking) {
		t.Errorf("a second: %v", err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, handout.ErrUnwanted) {
		t.Errorf("the first: %v", err)
	}
	if _, err := r.Take(strings.NewReader("x")); !errors.Is(err, handout.ErrUnwanted) {
		t.Errorf("one after it: %v", err)
	}
}

func TestDamagedFolder(t *testing.T) {
	folder := t.TempDir()
	for name, content := range map[string]string{"programs.json": "{", "part-1": "half"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, stop := run(t, folder, &service{})
	stop()
	if _, err := os.Stat(filepath.Join(folder, "part-1")); err == nil {
		t.Error("half a file is kept")
	}
	if err := os.WriteFile(filepath.Join(folder, "key.pem"), []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := handout.Open(handout.Config{Folder: folder, Log: slog.New(slog.DiscardHandler)}); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a damaged key: %v", err)
	}
}
