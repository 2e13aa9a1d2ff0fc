// Package mail sends the service's letters: links that prove an address, and
// notices about a person's own account. They are text only.
//
// Post puts a letter into a queue in memory and returns at once, so that how
// long a request takes does not tell whether a letter was sent. Run sends, and
// tries again while the server says "later". A letter that is lost with the
// process is asked for again by whom it was for.
package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	gomail "github.com/wneessen/go-mail"
)

// Letter is what one person is sent. Its texts are ours, but for names that
// people gave to things.
type Letter struct {
	To      string
	Subject string
	Text    string
}

// draft writes a letter when its turn comes; false: there is none to send.
type draft func(context.Context) (Letter, bool, error)

// Limits.
const (
	maxWaiting  = 1000 // letters in the queue
	sendTimeout = 30 * time.Second
	maxTries    = 6
	firstWait   = 5 * time.Second // doubles with each try: the last is after some five minutes
)

// Post takes letters in. Make it with New; Run must run.
type Post struct {
	client *gomail.Client // nil: letters go to the log, or nowhere
	from   string
	toLog  bool
	log    *slog.Logger
	queue  chan draft
	sent   *prometheus.CounterVec
	wait   time.Duration
}

// New makes a post office of a URL:
//
//	smtp://user:password@host[:587]   STARTTLS, which the server must offer
//	smtps://user:password@host[:465]  TLS from the first byte
//	smtp+plain://host[:25]            no encryption: a server on this machine
//	log:                              letters are written to the log, for development
//	""                                there is no mail
//
// ?ca=FILE names the authority that signed the server's certificate where that
// is not one that the system knows.
func New(address, from string, log *slog.Logger, metrics prometheus.Registerer) (*Post, error) {
	p := &Post{from: from, log: log, queue: make(chan draft, maxWaiting), wait: firstWait, sent: prometheus.NewCounterVec(
		prometheus.CounterOpts{Name: "assim_mail_letters_total", Help: "Letters, by what became of them."}, []string{"fate"})}
	metrics.MustRegister(p.sent)
	switch address {
	case "":
		return p, nil
	case "log:":
		p.toLog = true
		return p, nil
	}
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return nil, errors.New("ASSIM_SMTP is not smtp://user:password@host:port") // url's error would repeat the password
	}
	if p.from == "" {
		return nil, errors.New("ASSIM_MAIL_FROM is missing: the address that letters come from")
	}
	if err := gomail.NewMsg().From(p.from); err != nil {
		return nil, fmt.Errorf("ASSIM_MAIL_FROM %q is not an address", p.from)
	}
	options, err := optionsOf(u)
	if err != nil {
		return nil, err
	}
	if p.client, err = gomail.NewClient(u.Hostname(), options...); err != nil {
		return nil, fmt.Errorf("preparing to send mail: %w", err)
	}
	return p, nil
}

func optionsOf(u *url.URL) ([]gomail.Option, error) {
	options := []gomail.Option{gomail.WithTimeout(sendTimeout)}
	port := 587
	switch u.Scheme {
	case "smtp":
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	case "smtps":
		port = 465
		options = append(options, gomail.WithSSL())
	case "smtp+plain":
		port = 25
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		return nil, fmt.Errorf("ASSIM_SMTP: %q is none of smtp, smtps, smtp+plain", u.Scheme)
	}
	if text := u.Port(); text != "" {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil || n == 0 {
			return nil, fmt.Errorf("ASSIM_SMTP: port %q is none", text)
		}
		port = int(n)
	}
	options = append(options, gomail.WithPort(port))
	if user := u.User.Username(); user != "" {
		if u.Scheme == "smtp+plain" {
			return nil, errors.New("ASSIM_SMTP: a password is not sent without encryption")
		}
		password, _ := u.User.Password()
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(user), gomail.WithPassword(password))
	}
	trust := &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}
	if file := u.Query().Get("ca"); file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading the authority of the mail server: %w", err)
		}
		trust.RootCAs = x509.NewCertPool()
		if !trust.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", file)
		}
	}
	return append(options, gomail.WithTLSConfig(trust)), nil
}

// Reaches reports whether letters reach people: only then can an address be
// asked to prove itself.
func (p *Post) Reaches() bool { return p.client != nil }

// Log reports whether letters are written to the log.
func (p *Post) Log() bool { return p.toLog }

// Put queues a letter. What cannot be queued is counted and logged: the one who
// asked must not learn from it whether the address is known.
func (p *Post) Put(l Letter) {
	p.PutDraft(func(context.Context) (Letter, bool, error) { return l, true, nil })
}

// PutDraft queues a letter that is written later, so that not even the work of
// writing it, as looking an address up, shows in the time that a request takes.
func (p *Post) PutDraft(d draft) {
	if !p.Reaches() && !p.toLog {
		return
	}
	select {
	case p.queue <- d:
	default:
		p.sent.WithLabelValues("dropped").Inc()
		p.log.Warn("mail queue is full; a letter was dropped")
	}
}

// Run sends until ctx ends.
func (p *Post) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case write := <-p.queue:
			l, ok, err := write(ctx)
			switch {
			case err != nil:
				p.sent.WithLabelValues("failed").Inc()
				p.log.Error("writing mail", "error", err)
			case ok && p.toLog:
				p.log.Info("mail", "to", l.To, "subject", l.Subject, "text", l.Text)
			case ok:
				p.send(ctx, l)
			}
		}
	}
}

// send tries a letter until it is taken or refused for good. While the server
// is away the others wait: they would fare no better.
func (p *Post) send(ctx context.Context, l Letter) {
	wait := p.wait
	for try := 1; ; try++ {
		err := p.deliver(ctx, l)
		if err == nil {
			p.sent.WithLabelValues("sent").Inc()
			return
		}
		var refused *gomail.SendError
		if lasting := errors.As(err, &refused) && !refused.IsTemp() && refused.ErrorCode() >= 500; lasting || try == maxTries || ctx.Err() != nil {
			p.sent.WithLabelValues("failed").Inc()
			p.log.Error("sending mail", "tries", try, "error", err)
			return
		}
		p.sent.WithLabelValues("retried").Inc()
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
		wait *= 2
	}
}

func (p *Post) deliver(ctx context.Context, l Letter) error {
	m := gomail.NewMsg()
	if err := m.From(p.from); err != nil {
		return fmt.Errorf("sender: %w", err)
	}
	if err := m.To(l.To); err != nil {
		return fmt.Errorf("receiver: %w", err)
	}
	m.Subject(oneLine(l.Subject))
	m.SetDate()
	m.SetMessageID()
	m.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: nobody's holiday answer comes back
	m.SetBodyString(gomail.TypeTextPlain, l.Text)
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	return p.client.DialAndSendWithContext(ctx, m)
}

// oneLine keeps a name that a person chose from starting another header.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
