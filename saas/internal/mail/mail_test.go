package mail

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"assimilation/internal/mailtest"
)

func open(t *testing.T, url string) *Post {
	t.Helper()
	p, err := New(url, "Assimilation <no-reply@assimilation.example>", slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
	return p
}

// count is how many letters had a fate.
func count(t *testing.T, p *Post, fate string) float64 {
	t.Helper()
	var m dto.Metric
	if err := p.sent.WithLabelValues(fate).Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetCounter().GetValue()
}

func TestALetterGoesByTLS(t *testing.T) {
	server := mailtest.New(t)
	p := open(t, server.URL())
	p.Put(Letter{To: "ada@example.org", Subject: "Grüße\r\nBcc: eve@evil.example", Text: "Follow\nhttps://assimilation.example/a?b=" + strings.Repeat("c", 100) + "\n"})
	got := server.Wait("ada@example.org", 1)
	if !got.TLS || got.User != "assim" || got.From != "no-reply@assimilation.example" {
		t.Errorf("it came as %+v", got)
	}
	if got.Subject != "Grüße  Bcc: eve@evil.example" || got.Header.Get("Bcc") != "" {
		t.Errorf("subject %q, Bcc %q", got.Subject, got.Header.Get("Bcc"))
	}
	if link := got.Link(t); link != "/a?b="+strings.Repeat("c", 100) {
		t.Errorf("link %q", link)
	}
	if got.Header.Get("Auto-Submitted") != "auto-generated" || got.Header.Get("Message-Id") == "" || got.Header.Get("Date") == "" {
		t.Errorf("header %v", got.Header)
	}
}

func TestALetterIsTriedAgain(t *testing.T) {
	server := mailtest.New(t)
	server.Refuse(2)
	p, err := New(server.URL(), "no-reply@assimilation.example", slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	p.wait = time.Millisecond
	p.send(t.Context(), Letter{To: "ada@example.org", Subject: "s", Text: "t"})
	server.Wait("ada@example.org", 1)
	if n := count(t, p, "retried"); n != 2 {
		t.Errorf("%v tries were in vain, want 2", n)
	}
}

func TestWhatLastsIsNotTriedAgain(t *testing.T) {
	server := mailtest.New(t)
	for name, url := range map[string]string{
		"wrong password":      strings.Replace(server.URL(), "secret", "wrong", 1),
		"unknown authority":   "smtp://assim:secret@" + server.Address(),
		"no encryption":       "smtp+plain://" + server.Address(),
		"TLS from the start":  strings.Replace(server.URL(), "smtp:", "smtps:", 1),
		"another host's name": strings.Replace(server.URL(), "127.0.0.1", "localhost", 1),
	} {
		p, err := New(url, "no-reply@assimilation.example", slog.New(slog.DiscardHandler), prometheus.NewRegistry())
		if err != nil {
			t.Fatal(err)
		}
		p.wait = time.Millisecond
		p.send(t.Context(), Letter{To: "ada@example.org", Subject: "s", Text: "t"})
		if n := count(t, p, "failed"); n != 1 {
			t.Errorf("%s: %v letters failed, want 1", name, n)
		}
	}
	if n := len(server.Letters()); n != 0 {
		t.Errorf("%d letters came", n)
	}
}

func TestWrongSettings(t *testing.T) {
	for url, says := range map[string]string{
		"smtp://":                    "smtp://user",
		"http://mail.example":        "none of",
		"smtp://mail.example:0":      "port",
		"smtp+plain://a:b@localhost": "encryption",
		"smtp://a:b@c?ca=/nothing":   "authority",
		"smtp://a:b%zz@c":            "smtp://user",
	} {
		_, err := New(url, "a@example.org", slog.New(slog.DiscardHandler), prometheus.NewRegistry())
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "b%zz") {
			t.Errorf("%s: %v, want %q", url, err, says)
		}
	}
	for _, from := range []string{"", "nobody", "a@b\r\nBcc: x@y"} {
		if _, err := New("smtp://mail.example", from, slog.New(slog.DiscardHandler), prometheus.NewRegistry()); err == nil {
			t.Errorf("from %q is taken", from)
		}
	}
}
