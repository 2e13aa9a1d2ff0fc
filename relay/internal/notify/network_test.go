package notify

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func killPID(t *testing.T, text string) {
	pid, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Errorf("ending process %d: %v", pid, err)
	}
}

// TestSignature is the example of the Standard Webhooks' own libraries.
func TestSignature(t *testing.T) {
	secret, err := webhookSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", []byte(`{"test": 2432232314}`))
	if want := "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("signed %s, want %s", got, want)
	}
}

func TestWebhook(t *testing.T) {
	const secret = "a secret of more than twenty-four bytes"
	for name, test := range map[string]struct {
		answers []int
		want    Count
	}{
		"taken":            {[]int{204}, Count{Told: 1}},
		"busy, then taken": {[]int{503, 429, 200}, Count{Told: 1, Failed: 2}},
		"refused":          {[]int{400}, Count{Failed: 1, Lost: 1}},
		"sent elsewhere":   {[]int{302}, Count{Failed: 1, Lost: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			type request struct {
				*http.Request
				body string
			}
			requests := make(chan request, len(test.answers))
			answers := make(chan int, len(test.answers))
			for _, code := range test.answers {
				answers <- code
			}
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				requests <- request{r, string(body)}
				w.Header().Set("Location", "http://127.0.0.1:1/")
				w.WriteHeader(<-answers)
			}))
			n := open(t, Config{Webhook: server.URL + "/hook?key=hunter2", WebhookSecret: secret})
			run(t, n)
			t.Cleanup(server.Close) // before the notifier ends
			n.Tell(note())
			m := n.message(note())
			for range test.answers {
				r := <-requests
				id, stamp := r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp")
				if id != m.key || r.body != string(m.body) || r.Method != "POST" || r.Header.Get("Content-Type") != "application/json" {
					t.Errorf("%s %q with %q", r.Method, id, r.body)
				}
				if got := r.Header.Get("webhook-signature"); got != "v1,"+sign([]byte(secret), id, stamp, m.body) {
					t.Errorf("signature %q", got)
				}
			}
			test.want.Channel = "webhook"
			wait(t, n, test.want)
		})
	}
}

// wait waits until a channel has done what is wanted.
func wait(t *testing.T, n *Notifier, want Count) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); n.Counts()[0] != want; <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("counted %+v, want %+v", n.Counts()[0], want)
		}
	}
}

func TestMetrics(t *testing.T) {
	n := open(t, Config{Exec: "/bin/true", Syslog: "local"})
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(n)
	run(t, n)
	n.Tell(note())
	wait(t, n, Count{Channel: "exec", Told: 1})
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprint(families)
	for _, want := range []string{"assim_relay_notifications_total", "assim_relay_notifications_waiting", `value:"exec"`, `value:"syslog"`, `value:"lost"`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not in %s", want, text)
		}
	}
}

func TestWebhookKeepsItsSecrets(t *testing.T) {
	n := open(t, Config{Webhook: "http://user:hunter2@127.0.0.1:1/hunter2?hunter2"})
	err := n.couriers[0].channel.tell(t.Context(), n.message(note()))
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("said %v", err)
	}
}

func TestSyslog(t *testing.T) {
	m := (&Notifier{relay: "relay-1"}).message(note())
	check := func(t *testing.T, got string) {
		t.Helper()
		host, err := os.Hostname()
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf(`<27>1 2026-03-01T12:00:03.500Z %s assim-relay %d host-down - web-1 and web-2 are down (event=opened kind="host down" count=2 confidence=90 key=%s)`,
			host, os.Getpid(), m.key)
		if got != want {
			t.Errorf("read  %s\nwant  %s", got, want)
		}
	}
	tell := func(t *testing.T, target string) {
		t.Helper()
		if err := open(t, Config{Syslog: target}).couriers[0].channel.tell(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	read := func(t *testing.T, conn io.Reader) string {
		t.Helper()
		buffer := make([]byte, 4096)
		n, err := conn.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		return string(buffer[:n])
	}
	t.Run("unixgram", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "log")
		conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		tell(t, "unixgram://"+path)
		check(t, read(t, conn))
	})
	t.Run("udp", func(t *testing.T) {
		conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		tell(t, "udp://"+conn.LocalAddr().String())
		check(t, read(t, conn))
	})
	t.Run("tcp", func(t *testing.T) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		tell(t, "tcp://"+listener.Addr().String())
		conn, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		all, err := io.ReadAll(conn)
		if err != nil {
			t.Fatal(err)
		}
		size, line, _ := strings.Cut(string(all), " ")
		if size != strconv.Itoa(len(line)) {
			t.Errorf("counted %s octets of %d", size, len(line))
		}
		check(t, line)
	})
	t.Run("nobody", func(t *testing.T) {
		for _, target := range []string{"udp://127.0.0.1:1", "tcp://127.0.0.1:1", "unixgram:///nowhere"} {
			if err := open(t, Config{Syslog: target}).couriers[0].channel.tell(t.Context(), m); err == nil {
				t.Errorf("%s: nobody listens, and yet it is told", target)
			}
		}
	})
	t.Run("local", func(t *testing.T) {
		got := (&syslog{local: true, pid: 7}).line(m)
		if want := "<27>" + m.at.Local().Format(time.Stamp) + " assim-relay[7]: web-1 and"; !strings.HasPrefix(got, want) {
			t.Errorf("wrote %s, want %s", got, want)
		}
	})
}

func TestMail(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	letters := make(chan string, 2)
	go serveMail(listener, letters)
	n := open(t, Config{SMTP: "smtp://user:hunter2@" + listener.Addr().String() + "?from=relay@example.org&to=a@example.org,b@example.org"})
	m := n.message(note())
	if err := n.couriers[0].channel.tell(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	login := base64.StdEncoding.EncodeToString([]byte("\x00user\x00hunter2"))
	letter := <-letters
	for _, want := range []string{
		"AUTH PLAIN " + login, "MAIL FROM:<relay@example.org>", "RCPT TO:<a@example.org>", "RCPT TO:<b@example.org>",
		"Subject: [relay-1] opened: web-1 and web-2 are down\n", "Message-ID: <" + m.key + "@example.org>\n", "Auto-Submitted: auto-generated\n",
	} {
		if !strings.Contains(letter, want) {
			t.Errorf("%q is not in\n%s", want, letter)
		}
	}
	_, body, _ := strings.Cut(letter, "\n\n")
	body, _, _ = strings.Cut(body, "\n.\n")
	text, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(strings.TrimSpace(body), "\n", ""))
	if err != nil || !strings.Contains(string(text), "hosts (2): web-1 web-2\n") {
		t.Errorf("the mail says %q, %v", text, err)
	}

	n = open(t, Config{SMTP: "smtp://" + listener.Addr().String() + "?from=relay@example.org&to=unknown@example.org"})
	err = n.couriers[0].channel.tell(t.Context(), m)
	if _, ok := err.(final); !ok || !strings.Contains(err.Error(), "550") {
		t.Errorf("an unknown receiver: %v", err)
	}
}

// serveMail speaks as much of RFC 5321 as a sender needs, and hands on what it
// was told of each mail.
func serveMail(listener net.Listener, letters chan<- string) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		var told strings.Builder
		fmt.Fprint(conn, "220 here\r\n")
		for lines := bufio.NewScanner(conn); lines.Scan(); {
			line := lines.Text()
			told.WriteString(line + "\n")
			answer := "250 well\r\n"
			switch verb, _, _ := strings.Cut(line, " "); {
			case verb == "EHLO":
				answer = "250-here\r\n250 AUTH PLAIN\r\n"
			case verb == "AUTH":
				answer = "235 in\r\n"
			case strings.Contains(line, "unknown"):
				answer = "550 no such user\r\n"
			case line == "DATA":
				answer = "354 go on\r\n"
			case line == ".":
				letters <- told.String()
			case line == "QUIT":
				answer = "221 bye\r\n"
			case verb != "MAIL" && verb != "RCPT":
				continue // of the letter
			}
			fmt.Fprint(conn, answer)
		}
		conn.Close()
	}
}
