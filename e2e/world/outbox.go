package world

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Outbox is what a relay says of its stream.
type Outbox struct {
	Backlog uint64 `json:"backlog"`
	Bytes   int64  `json:"bytes"`
	Last    uint64 `json:"last"`
	Acked   uint64 `json:"acked"`
}

// ReadOutbox asks the relay with this address for local HTTP.
func ReadOutbox(address string) (o Outbox, err error) {
	client := http.Client{Timeout: 2 * time.Second}
	res, err := client.Get("http://" + address + "/status")
	if err != nil {
		return o, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return o, fmt.Errorf("relay: %s", res.Status)
	}
	var report struct {
		Outbox *Outbox `json:"outbox"`
	}
	if err := json.NewDecoder(res.Body).Decode(&report); err != nil {
		return o, err
	}
	if report.Outbox == nil {
		return o, errors.New("the relay's status has no outbox")
	}
	return *report.Outbox, nil
}

// CheckTruth holds what the service says of a host to this machine's own tools,
// and returns the table of differences.
func (w *World) CheckTruth(t testing.TB, host string) (string, error) {
	t.Helper()
	program, err := buildCheckTruth()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-assim", w.Bin+"/assim", "-host", host, "-patience", "1ms")
	cmd.Env = append(os.Environ(), w.Config())
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// AtRest waits until the relay's outbox is empty and the service tells the truth
// about the hosts, all of which are this machine.
func (w *World) AtRest(t testing.TB, relayHTTP string, within time.Duration, hosts ...string) {
	t.Helper()
	var last string
	took := Eventually(t, within, "the outbox empty and the truth told", func() (bool, string) {
		outbox, err := ReadOutbox(relayHTTP)
		if err != nil {
			return false, err.Error()
		}
		if outbox.Backlog != 0 {
			return false, fmt.Sprintf("%d records wait", outbox.Backlog)
		}
		for _, host := range hosts {
			out, err := w.CheckTruth(t, host)
			if err != nil {
				return false, out
			}
			last = out
		}
		return true, ""
	})
	t.Logf("at rest after %v\n%s", took.Round(100*time.Millisecond), last)
}
