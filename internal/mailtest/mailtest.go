// Package mailtest is a real SMTP server that keeps what it is sent.
package mailtest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"mime"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Letter is what the server took.
type Letter struct {
	From, To, Subject, Text string
	Header                  netmail.Header
	TLS                     bool
	User                    string // who logged in
}

// Server listens on loopback until the test ends. It wants STARTTLS and the
// log-in "assim" with the password "secret".
type Server struct {
	t       testing.TB
	address string
	ca      string

	mu      sync.Mutex
	letters []Letter
	came    chan struct{}
	refuse  int // how many letters to refuse with "later"
}

// New starts a server.
func New(t testing.TB) *Server {
	t.Helper()
	s := &Server{t: t, came: make(chan struct{}, 1)}
	certificate := s.certificate()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = listener.Addr().String()
	server := smtp.NewServer(s)
	server.Domain = "localhost"
	server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	server.ErrorLog = quiet{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(listener); err != nil && !errors.Is(err, smtp.ErrServerClosed) {
			t.Errorf("serving mail: %v", err)
		}
	}()
	t.Cleanup(func() {
		server.Close()
		<-done
	})
	return s
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

// URL is what ASSIM_SMTP would be.
func (s *Server) URL() string { return "smtp://assim:secret@" + s.address + "?ca=" + s.ca }

// Address is host:port.
func (s *Server) Address() string { return s.address }

// Refuse makes the server refuse the next n letters with "try later".
func (s *Server) Refuse(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = n
}

// Letters are all that came.
func (s *Server) Letters() []Letter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Letter(nil), s.letters...)
}

// Wait waits for the nth letter (from 1) to an address and returns it.
func (s *Server) Wait(to string, n int) Letter {
	s.t.Helper()
	deadline := time.After(time.Minute)
	for {
		seen := 0
		for _, l := range s.Letters() {
			if l.To == to {
				if seen++; seen == n {
					return l
				}
			}
		}
		select {
		case <-s.came:
		case <-deadline:
			s.t.Fatalf("letter %d to %s did not come; %d came in all", n, to, len(s.Letters()))
		}
	}
}

var link = regexp.MustCompile(`https?://\S+`)

// Link is the first link in a letter: its path and query.
func (l Letter) Link(t testing.TB) string {
	t.Helper()
	found := link.FindString(l.Text)
	_, rest, ok := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(found, "https://"), "http://"), "/")
	if !ok {
		t.Fatalf("no link in %q", l.Text)
	}
	return "/" + rest
}

// certificate makes one for 127.0.0.1 that signs itself, and its file.
func (s *Server) certificate() tls.Certificate {
	s.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		s.t.Fatal(err)
	}
	s.ca = filepath.Join(s.t.TempDir(), "ca.pem")
	if err := os.WriteFile(s.ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// NewSession implements smtp.Backend.
func (s *Server) NewSession(c *smtp.Conn) (smtp.Session, error) {
	return &session{server: s, conn: c}, nil
}

type session struct {
	server *Server
	conn   *smtp.Conn
	letter Letter
	user   string
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "assim" || password != "secret" {
			return smtp.ErrAuthFailed
		}
		s.user = user
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if _, encrypted := s.conn.TLSConnectionState(); !encrypted || s.user == "" {
		return &smtp.SMTPError{Code: 530, Message: "STARTTLS and log in first"}
	}
	s.letter = Letter{From: from, TLS: true, User: s.user}
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.letter.To = to
	return nil
}

func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(io.LimitReader(r, 1<<20))
	if err != nil {
		return err
	}
	m, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return fmt.Errorf("what came is no letter: %w", err)
	}
	body := m.Body
	if strings.EqualFold(m.Header.Get("Content-Transfer-Encoding"), "quoted-printable") {
		body = quotedprintable.NewReader(m.Body)
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	s.letter.Header, s.letter.Text = m.Header, strings.ReplaceAll(string(text), "\r\n", "\n")
	if s.letter.Subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil {
		return err
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	if s.server.refuse > 0 {
		s.server.refuse--
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "later"}
	}
	s.server.letters = append(s.server.letters, s.letter)
	select {
	case s.server.came <- struct{}{}:
	default:
	}
	return nil
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }
