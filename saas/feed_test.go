package saas

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// heard is an event of the feed as a client reads it.
type heard struct {
	id   int64
	name string
	data string
}

// listen opens the feed; end breaks the connection and waits until nothing comes
// any more.
func (e *estate) listen(t *testing.T, address, query, last string) (events chan heard, end func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	r, err := http.NewRequestWithContext(ctx, "GET", address+"/v1/events/stream"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+e.token)
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("the feed: %v %+v", err, answer)
	}
	events = make(chan heard, 20_000)
	go func() {
		defer close(events)
		defer answer.Body.Close()
		var h heard
		for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "id":
				h.id, _ = strconv.ParseInt(value, 10, 64)
			case "event":
				h.name = value
			case "data":
				h.data = value
			case "":
				if value == "" && lines.Text() == "" {
					events <- h
					h = heard{id: h.id}
				}
			}
		}
	}()
	return events, func() {
		cancel()
		for range events { // what was under way is not heard
		}
	}
}

// next waits for the next event that says something.
func next(t *testing.T, events chan heard) heard {
	t.Helper()
	for {
		select {
		case h, ok := <-events:
			if !ok {
				t.Fatal("the feed ended")
			}
			if h.data != "" {
				return h
			}
		case <-time.After(time.Minute):
			t.Fatal("nothing was heard for a minute")
		}
	}
}

// TestTheFeedGoesOn has a client lose its connection, and the service its life,
// again and again while things happen.
func TestTheFeedGoesOn(t *testing.T) {
	s := newService(t)
	ada := s.signUp("ada@example.org", "Example", "paris")
	ada.machine("before")
	ada.send()
	from := slices.Max(ada.eventIDs(t, 0))
	last := strconv.FormatInt(from, 10)
	var got []int64
	for life := range 3 {
		ctx, stop := context.WithCancel(t.Context())
		hub := make(chan error, 1)
		go func() { hub <- s.hub.Run(ctx) }()
		server := httptest.NewServer(s.handler)
		for connection := range 3 {
			ada.machine(fmt.Sprintf("away-%d-%d", life, connection))
			ada.send()
			events, end := ada.listen(t, server.URL, "", last)
			ada.machine(fmt.Sprintf("here-%d-%d", life, connection))
			ada.send()
			for range 2 {
				h := next(t, events)
				var event struct {
					ID   int64
					Type string
				}
				if err := json.Unmarshal([]byte(h.data), &event); err != nil || event.ID != h.id || event.Type != "host.enrolled" {
					t.Fatalf("heard %+v: %v", h, err)
				}
				got = append(got, h.id)
				last = strconv.FormatInt(h.id, 10)
			}
			end()
		}
		server.CloseClientConnections()
		stop()
		<-hub
		server.Close()
		s = s.again(t)
		ada.client.s = s
	}
	if want := ada.eventIDs(t, from); !slices.Equal(got, want) {
		t.Errorf("heard %v, want %v", got, want)
	}
	t.Logf("%d events over 9 connections and 3 lives of the service: none lost, none twice", len(got))
}

func TestTheFeedSaysWhatIsMissing(t *testing.T) {
	s := newService(t)
	ada, eve := s.signUp("ada@example.org", "Example", "paris"), s.signUp("eve@evil.example", "Evil", "lyon")
	ada.machine("web1")
	ada.send()
	server := httptest.NewServer(s.handler)
	defer server.Close()
	from := slices.Max(ada.eventIDs(t, 0))
	ada.in(func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `INSERT INTO assim.events (tenant, at, seen_at, type) SELECT $1, now(), now(), CASE n % 100 WHEN 0 THEN 'relay.stopped' ELSE 'host.up' END FROM generate_series(1, 10100) n`, ada.source.Tenant)
		return err
	})
	all := ada.eventIDs(t, from)
	events, end := ada.listen(t, server.URL, "", strconv.FormatInt(from, 10))
	h := next(t, events)
	var gap struct{ After, Before int64 }
	if err := json.Unmarshal([]byte(h.data), &gap); err != nil || h.name != "gap" || gap.After != from || gap.Before != all[100] {
		t.Errorf("first comes %+v, want a gap from %d to %d", h, from, all[100])
	}
	for _, id := range all[100:] {
		if h := next(t, events); h.id != id || h.name != "" {
			t.Fatalf("%+v, want %d", h, id)
		}
	}
	end()
	// A filter leaves out, and the place moves on.
	events, end = ada.listen(t, server.URL, "?type=relay", strconv.FormatInt(all[200], 10))
	for _, id := range all[201:] {
		if (id-all[0]+1)%100 != 0 {
			continue
		}
		if h := next(t, events); h.id != id {
			t.Fatalf("%+v, want %d", h, id)
		}
	}
	if h := <-events; h.data != "" || h.id != all[len(all)-1] {
		t.Errorf("at the end %+v, want the id %d alone", h, all[len(all)-1])
	}
	end()
	// An id that was never given: of the time before a restore.
	events, end = ada.listen(t, server.URL, "", strconv.FormatInt(all[len(all)-1]+1000, 10))
	if h := next(t, events); h.name != "gap" || h.id != all[len(all)-1] {
		t.Errorf("an id of the future: %+v", h)
	}
	end()
	// Nobody hears of another's, whatever their place.
	events, end = eve.listen(t, server.URL, "", "0")
	if h := <-events; h.data != "" {
		t.Errorf("eve hears %+v", h)
	}
	end()
	for _, bad := range []string{"x", "-1", "1e3", strings.Repeat("9", 21)} {
		r := httptest.NewRequest("GET", "/v1/events/stream", nil)
		r.Header.Set("Authorization", "Bearer "+ada.token)
		r.Header.Set("Last-Event-ID", bad)
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		if w.Code != http.StatusUnprocessableEntity {
			t.Errorf("Last-Event-ID %q: %d %s", bad, w.Code, w.Body)
		}
	}
}
