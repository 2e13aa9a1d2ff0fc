package saas

import (
	"context"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"assimilation/docs"
)

// TestTheSamplesOfTheAPIRun runs each block of sh in docs/api.md as a reader would.
func TestTheSamplesOfTheAPIRun(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed: apt-get install curl")
	}
	text, err := docs.Files.ReadFile("api.md")
	if err != nil {
		t.Fatal(err)
	}
	s := newService(t)
	ada := s.signUp("ada@example.org", "Example", "paris")
	ada.twoHosts("")
	server := httptest.NewServer(s.handler)
	defer server.Close()
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	// date(1), as a sample asks it, says whole seconds: what is younger than the one under way was not there.
	<-time.After(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
	blocks := strings.Split(string(text), "```sh\n")[1:]
	for i, block := range blocks {
		block, _, _ = strings.Cut(block, "\n```")
		run := exec.CommandContext(ctx, "sh", "-euc", block)
		run.Env = append(os.Environ(), "URL="+server.URL, "TOKEN="+ada.token, "SITE=paris")
		said, err := run.CombinedOutput()
		if err != nil {
			t.Errorf("%v\n%s\n%s", err, block, said)
		}
		for want, in := range map[string]bool{
			"ada@example.org":    i == 0,
			`"name":"web1"`:      strings.Contains(block, "next_cursor"),
			`"token":"asm_enr_`:  strings.Contains(block, "Idempotency-Key"),
			`"code":"not_found"`: strings.Contains(block, "no-such-host"),
			"10.0.0.10":          strings.Contains(block, "as_of"),
			": listening":        strings.Contains(block, "Last-Event-ID"),
		} {
			if in && !strings.Contains(string(said), want) {
				t.Errorf("%s\nsays\n%s\nwithout %s", block, said, want)
			}
		}
		if strings.Contains(block, "Idempotency-Key") {
			first, second, _ := strings.Cut(strings.TrimSpace(string(said)), "\n")
			if first != second {
				t.Errorf("the two answers differ: %s", said)
			}
		}
	}
	if len(blocks) < 6 {
		t.Errorf("only %d samples", len(blocks))
	}
}
