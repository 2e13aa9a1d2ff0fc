// Package downloads serves what a new machine needs: the install script, the
// programs, their systemd units, and the checksums of all. Relays hand out in their
// sites what ForHosts lists.
//
//	GET /install.sh           the script, with this service's address and checksums in it
//	GET /download/SHA256SUMS  as sha256sum -c wants it
//	GET /download/{file}      assim-probe-linux-amd64, assim-probe.service...
//
// A program of the service's own platform may lie in the folder without the
// platform in its name, as the build leaves it, and is served by both names.
// Names are looked up in a fixed list and never made into paths.
package downloads

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"assimilation/ops/install"
	"assimilation/ops/systemd"
	"assimilation/saas/internal/web"
)

var (
	programs  = []string{"assim-probe", "assim-relay", "assim"}
	platforms = []string{"linux-amd64", "linux-arm64"}
	units     = []string{"assim-probe.service", "assim-probe-firewall.conf", "assim-relay.service"}
)

// Service is the feature; make it with New.
type Service struct {
	dir   *os.Root
	base  string
	build string // version of the service, which the programs were built with
	log   *slog.Logger
	units map[string][]byte

	mu   sync.Mutex
	sums map[string]sum // of files of dir, by their name there
}

// sum is a checksum, good while the file looks the same.
type sum struct {
	size     int64
	modified time.Time
	hex      string
}

// New serves the programs of a folder, which are of the service's own version.
// public is the address by which other machines reach the service.
func New(folder string, public *url.URL, version string, log *slog.Logger) (*Service, error) {
	dir, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("opening the folder of downloads: %w", err)
	}
	s := &Service{dir: dir, base: strings.TrimSuffix(public.String(), "/"), build: version, log: log, units: map[string][]byte{}, sums: map[string]sum{}}
	for _, name := range units {
		if s.units[name], err = systemd.Units.ReadFile(name); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Close gives the folder back.
func (s *Service) Close() error { return s.dir.Close() }

// Mount adds the routes.
func (s *Service) Mount(w *web.Web) {
	w.Public("GET /install.sh", 0, s.answer(s.serveScript))
	w.Public("GET /download/SHA256SUMS", 0, s.answer(s.serveSums))
	w.Public("GET /download/{file}", 0, s.answer(s.serveFile))
}

func (s *Service) answer(serve func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache")
		if err := serve(w, r); errors.Is(err, fs.ErrNotExist) {
			http.Error(w, "no such file", http.StatusNotFound)
		} else if err != nil {
			s.log.Error("serving a download", "path", r.URL.Path, "error", err)
			http.Error(w, "the file cannot be read", http.StatusInternalServerError)
		}
	})
}

func (s *Service) serveScript(w http.ResponseWriter, _ *http.Request) error {
	sums, err := s.checksums()
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/x-shellscript; charset=utf-8")
	_, _ = io.WriteString(w, install.Script(install.Source{Base: s.base, Sums: sums}))
	return nil
}

func (s *Service) serveSums(w http.ResponseWriter, _ *http.Request) error {
	sums, err := s.checksums()
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, sums)
	return nil
}

func (s *Service) serveFile(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("file")
	w.Header().Set("Content-Type", "application/octet-stream")
	if unit, ok := s.units[name]; ok {
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(unit))
		return nil
	}
	file, info, err := s.open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	http.ServeContent(w, r, name, info.ModTime(), file)
	return nil
}

// checksums lists what there is.
func (s *Service) checksums() (string, error) {
	var b strings.Builder
	for _, program := range programs {
		for _, name := range append([]string{program}, platformNames(program)...) {
			hash, err := s.sum(name)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			} else if err != nil {
				return "", err
			}
			fmt.Fprintf(&b, "%s  %s\n", hash, name)
		}
	}
	for _, name := range units {
		fmt.Fprintf(&b, "%x  %s\n", sumOf(s.units[name]), name)
	}
	return b.String(), nil
}

func sumOf(content []byte) []byte {
	hash := sha256.Sum256(content)
	return hash[:]
}

func platformNames(program string) []string {
	names := make([]string, len(platforms))
	for i, platform := range platforms {
		names[i] = program + "-" + platform
	}
	return names
}

// candidates are the names in the folder that a public name may stand for, the
// best first; none for a name that is not served.
func candidates(name string) []string {
	own := "-" + runtime.GOOS + "-" + runtime.GOARCH
	for _, program := range programs {
		if name == program {
			return []string{program, program + own}
		}
		for _, full := range platformNames(program) {
			if name == full && strings.HasSuffix(name, own) {
				return []string{full, program}
			} else if name == full {
				return []string{full}
			}
		}
	}
	return nil
}

func (s *Service) open(name string) (*os.File, fs.FileInfo, error) {
	for _, candidate := range candidates(name) {
		file, err := s.dir.Open(candidate)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return nil, nil, err
		}
		info, err := file.Stat()
		if err == nil && !info.Mode().IsRegular() {
			err = fs.ErrNotExist
		}
		if err != nil {
			file.Close()
			return nil, nil, err
		}
		return file, info, nil
	}
	return nil, nil, fs.ErrNotExist
}

func (s *Service) sum(name string) (string, error) {
	file, info, err := s.open(name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.sums[info.Name()]; known.size == info.Size() && known.modified.Equal(info.ModTime()) && known.hex != "" {
		return known.hex, nil
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", fmt.Errorf("hashing %s: %w", name, err)
	}
	known := sum{info.Size(), info.ModTime(), hex.EncodeToString(hash.Sum(nil))}
	s.sums[info.Name()] = known
	return known.hex, nil
}
