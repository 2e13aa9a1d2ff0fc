package cli

import (
	"bytes"
	"net"
	"strings"
	"testing"

	"assimilation/relay/internal/status"
)

// What hosts and receivers say is shown, not obeyed.
func TestNobodyElseDrivesTheTerminal(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conn.Read(make([]byte, 4096))
			conn.Write([]byte("HTTP/1.1 400 \x1b[2J\u009b31m\u202eno\r\nContent-Length: 0\r\n\r\n"))
			conn.Close()
		}
	}()
	code, out, errs := run([]string{"notify-test", "--notify-webhook", "http://" + listener.Addr().String()}, "")
	if code != exitWrong || !strings.Contains(out, "FAILED") {
		t.Errorf("exit code %d: %s%s", code, out, errs)
	}
	var preview bytes.Buffer
	o := &options{Streams: Streams{Out: &preview}}
	if err := o.printPreview(status.Preview{Records: []status.Leaving{{Type: "fact put", Kind: "os", Body: "{\"kernel\":\"\u009b31m\u202ered\"}"}}}); err != nil {
		t.Fatal(err)
	}
	if want := `{"kernel":"\u009b31m\u202ered"}`; !strings.Contains(preview.String(), want) {
		t.Errorf("%q is not in %q", want, preview.String())
	}
	for _, obeyed := range []string{"\x1b", "\u009b", "\u202e"} {
		if strings.Contains(out+errs+preview.String(), obeyed) {
			t.Errorf("%q reaches the terminal", obeyed)
		}
	}
}
