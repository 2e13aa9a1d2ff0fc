package probe

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"assimilation/discovery"
	auditd "assimilation/discovery/auditd/collect"
	"assimilation/discovery/certificates"
	certificatescollect "assimilation/discovery/certificates/collect"
	"assimilation/discovery/checksums"
	checksumscollect "assimilation/discovery/checksums/collect"
	"assimilation/discovery/fileattrs"
	fileattrscollect "assimilation/discovery/fileattrs/collect"
	"assimilation/discovery/kinds"
	"assimilation/discovery/processes"
	processescollect "assimilation/discovery/processes/collect"
	socketscollect "assimilation/discovery/sockets/collect"
	"assimilation/probe/internal/schedule"
)

// recorded is what collections returned, as it comes.
type recorded chan []discovery.Fact

func (r recorded) Record(_ discovery.Kind, facts []discovery.Fact, _ error, _ time.Time) {
	r <- facts
}
func (recorded) Drop(discovery.Kind) {}

// tlsServer listens at a free port.
func tlsServer(t *testing.T) int64 {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _ = conn.(*tls.Conn).Handshake(); conn.Close() }()
		}
	}()
	return int64(l.Addr().(*net.TCPAddr).Port)
}

// TestNewListener shows what a new listener brings about, by the schedule and the
// kernel: its certificate, the checksum of its program, its libraries. It is this test
// that listens, at two ports, one of them when all was collected before.
func TestNewListener(t *testing.T) {
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var hello certificates.Hello
	first := tlsServer(t)
	if hello, err = certificates.ParseHello("all"); err != nil {
		t.Fatal(err)
	}
	collectors := []discovery.Collector{
		socketscollect.Local(), onlyOwn{processescollect.Local(), own}, onlyOwn{checksumscollect.Local(), own}, onlyOwn{certificatescollect.Local(hello), own},
	}
	facts := make(recorded)
	settled := make(chan struct{})
	s := schedule.New(collectors, facts, slog.New(slog.DiscardHandler), func() { close(settled) })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	defer func() {
		cancel()
		for {
			select {
			case <-facts:
			case <-done:
				return
			}
		}
	}()
	for waiting := true; waiting; {
		select {
		case <-facts:
		case <-settled:
			waiting = false
		}
	}
	second := tlsServer(t)
	missing := map[string]bool{"certificate of the first": true, "certificate of the second": true, "process": true, "checksum": true}
	limit := time.After(2 * time.Minute)
	for len(missing) > 0 {
		select {
		case found := <-facts:
			for _, f := range found {
				for _, what := range said(t, f, own, first, second) {
					delete(missing, what)
				}
			}
		case <-limit:
			t.Fatalf("nothing was told of %v", missing)
		}
	}
}

// onlyOwn follows one program of all that listen here: the others are not asked, and
// their files not read.
type onlyOwn struct {
	discovery.Follower
	exe string
}

func (o onlyOwn) Follow(kind string, facts []discovery.Fact) {
	var own []discovery.Fact
	for _, f := range facts {
		var body map[string][]map[string]any
		if json.Unmarshal(f.Body, &body) != nil {
			continue
		}
		var services []map[string]any
		for _, service := range body["services"] {
			if service["exe"] == o.exe {
				services = append(services, service)
			}
		}
		f.Body, _ = json.Marshal(map[string]any{"services": services})
		own = append(own, f)
	}
	o.Follower.Follow(kind, own)
}

// said is which of the expected things a fact tells.
func said(t *testing.T, f discovery.Fact, own string, first, second int64) (what []string) {
	t.Helper()
	read := func(body any) {
		if err := json.Unmarshal(f.Body, body); err != nil {
			t.Error(err)
		}
	}
	switch f.Kind {
	case "certificates":
		var body certificates.Facts
		read(&body)
		for _, l := range body.Listeners {
			if l.Port == first && l.Exe == own {
				what = append(what, "certificate of the first")
			}
			if l.Port == second && l.Exe == own {
				what = append(what, "certificate of the second")
			}
		}
	case "processes":
		var body processes.Facts
		read(&body)
		for _, p := range body.Processes {
			if p.Exe == own {
				what = append(what, "process")
			}
		}
	case "checksums":
		var body checksums.Facts
		read(&body)
		for _, file := range body.Files {
			if file.Path == own && file.Role == "program" {
				what = append(what, "checksum")
			}
		}
	}
	return what
}

// TestAuditLog shows that the log which auditd.conf names is looked at.
func TestAuditLog(t *testing.T) {
	dir := t.TempDir()
	log := dir + "/audit.log"
	if err := os.WriteFile(log, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	configuration := fstest.MapFS{"etc/audit/auditd.conf": {Data: []byte("log_file = " + log + "\nmax_log_file = 8\n")}}
	found := map[string]string{}
	schedule.Once(t.Context(), []discovery.Collector{auditd.New(configuration, ""), fileattrscollect.Local()}, func(kind discovery.Kind, facts []discovery.Fact, err error) {
		if err != nil {
			t.Log(kind.Name, err)
		}
		if kind.Name != "fileattrs" || len(facts) != 1 {
			return
		}
		var body fileattrs.Facts
		if err := json.Unmarshal(facts[0].Body, &body); err != nil {
			t.Fatal(err)
		}
		for _, f := range body.Files {
			found[f.Path] = fmt.Sprint(f.Type, " ", f.Mode)
		}
	})
	if found[log] != "file 640" || found[dir] == "" {
		t.Errorf("%s is %q, its directory %q", log, found[log], found[dir])
	}
}

// TestTriggersAreKinds shows that a kind follows only what there is.
func TestTriggersAreKinds(t *testing.T) {
	for _, k := range kinds.All() {
		for _, after := range k.After {
			if _, known := kinds.ByName(after); !known || after == k.Name {
				t.Errorf("%s comes after %s, which is no other kind", k.Name, after)
			}
		}
	}
	for _, where := range fileattrs.Named {
		if kind, _ := kinds.ByName("fileattrs"); !slices.Contains(kind.After, where.Kind) {
			t.Errorf("fileattrs does not follow %s", where.Kind)
		}
	}
}
