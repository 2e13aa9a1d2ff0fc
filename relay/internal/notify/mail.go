package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"net/url"
	"strings"
	"time"
)

// mailer hands a mail to a server: smtps:// in TLS from the start, smtp:// in TLS
// where the server offers it. A password is sent in TLS only, or to this host.
type mailer struct {
	address, host  string
	implicit       bool // TLS from the start
	user, password string
	from           string
	to             []string
}

const mailTimeout = 30 * time.Second

func openMail(config Config) (channel, error) {
	target, err := url.Parse(config.SMTP)
	if err != nil || target.Hostname() == "" || target.Scheme != "smtp" && target.Scheme != "smtps" {
		return nil, errors.New("it needs smtp[s]://[user[:password]@]host[:port]?from=address&to=address") // not repeated: it may hold a password
	}
	m := &mailer{host: target.Hostname(), implicit: target.Scheme == "smtps", user: target.User.Username()}
	m.password, _ = target.User.Password()
	port := target.Port()
	if port == "" {
		port = map[string]string{"smtp": "25", "smtps": "465"}[target.Scheme]
	}
	m.address = net.JoinHostPort(m.host, port)
	from, err := mail.ParseAddress(target.Query().Get("from"))
	if err != nil {
		return nil, fmt.Errorf("its from: %w", err)
	}
	m.from = from.Address
	to, err := mail.ParseAddressList(strings.Join(target.Query()["to"], ","))
	if err != nil {
		return nil, fmt.Errorf("its to: %w", err)
	}
	for _, a := range to {
		m.to = append(m.to, a.Address)
	}
	return m, nil
}

func (s *mailer) tell(ctx context.Context, m *message) error {
	ctx, cancel := context.WithTimeout(ctx, mailTimeout)
	defer cancel()
	err := s.send(ctx, m)
	if answer, ok := errors.AsType[*textproto.Error](err); ok && answer.Code/100 == 5 {
		return final{err}
	}
	return err
}

func (s *mailer) send(ctx context.Context, m *message) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.address)
	if err != nil {
		return fmt.Errorf("reaching the mail server: %w", err)
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	conn.SetDeadline(deadline)
	if s.implicit {
		conn = tls.Client(conn, &tls.Config{ServerName: s.host})
	}
	client, err := smtp.NewClient(conn, s.host)
	if err != nil {
		return fmt.Errorf("greeting the mail server: %w", err)
	}
	defer client.Close()
	if err := s.prepare(client); err != nil {
		return err
	}
	if err := client.Mail(s.from); err != nil {
		return fmt.Errorf("mail from %s: %w", s.from, err)
	}
	for _, to := range s.to {
		if err := client.Rcpt(to); err != nil {
			return fmt.Errorf("mail to %s: %w", to, err)
		}
	}
	body, err := client.Data()
	if err != nil {
		return fmt.Errorf("sending a mail: %w", err)
	}
	if _, err := body.Write(s.letter(m)); err != nil {
		return fmt.Errorf("sending a mail: %w", err)
	}
	if err := body.Close(); err != nil { // the server has it once this is answered
		return fmt.Errorf("sending a mail: %w", err)
	}
	client.Quit() // whatever it says, it has the mail
	return nil
}

// prepare begins TLS and logs in, as far as the server does it.
func (s *mailer) prepare(client *smtp.Client) error {
	if ok, _ := client.Extension("STARTTLS"); ok && !s.implicit {
		if err := client.StartTLS(&tls.Config{ServerName: s.host}); err != nil {
			return fmt.Errorf("beginning TLS with the mail server: %w", err)
		}
	}
	if s.user == "" {
		return nil
	}
	if err := client.Auth(smtp.PlainAuth("", s.user, s.password, s.host)); err != nil {
		return fmt.Errorf("logging in to the mail server: %w", err)
	}
	return nil
}

// letter is the mail whole, RFC 5322. All texts of a message are single lines.
func (s *mailer) letter(m *message) []byte {
	n := m.note
	subject := mime.QEncoding.Encode("utf-8", cut(fmt.Sprintf("[%s] %s: %s", m.relay, n.Event, n.Summary), 200))
	_, domain, _ := strings.Cut(s.from, "@")
	var b bytes.Buffer
	fmt.Fprintf(&b, "From: <%s>\r\nTo: <%s>\r\nSubject: %s\r\nDate: %s\r\nMessage-ID: <%s@%s>\r\n", s.from, strings.Join(s.to, ">, <"), subject,
		time.Now().Format(time.RFC1123Z), word(m.key, 128), domain)
	b.WriteString("Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n")
	var text strings.Builder
	fmt.Fprintf(&text, "%s\n\n%s: %s, confidence %d %%\n", n.Summary, n.Kind, n.Event, n.Confidence)
	for _, line := range [][2]string{{"last sign of life", stamp(n.Since)}, {"concluded", stamp(n.At)}, {"over", stamp(n.Over)}, {"switch", n.Domain}, {"zone", n.Zone}} {
		if line[1] != "" {
			fmt.Fprintf(&text, "%s: %s\n", line[0], line[1])
		}
	}
	fmt.Fprintf(&text, "hosts (%d): %s\nverdict: %s\n", n.Count, strings.Join(n.Hosts, " "), n.ID)
	encoded := base64.StdEncoding.EncodeToString([]byte(text.String()))
	for len(encoded) > 76 {
		b.WriteString(encoded[:76] + "\r\n")
		encoded = encoded[76:]
	}
	b.WriteString(encoded + "\r\n")
	return b.Bytes()
}
