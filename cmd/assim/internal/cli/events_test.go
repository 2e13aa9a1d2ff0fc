package cli_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// feed is the part of the service that events come from.
type feed struct {
	mu      sync.Mutex
	ids     []int64 // in the order of writing
	streams int     // opened so far
}

func (f *feed) write(ids ...int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ids = append(f.ids, ids...)
}

func (f *feed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/v1/login":
		json.NewEncoder(w).Encode(map[string]any{"token": "asm_api_x", "tenant": map[string]string{"name": "Example"}})
	case "/v1/events":
		f.list(w, r)
	case "/v1/events/stream":
		f.stream(w, r)
	}
}

// stream tells what was written since the event that the client heard last.
func (f *feed) stream(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.streams++
	stream := f.streams
	f.mu.Unlock()
	if stream > 3 {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprint(w, ": listening\n\n")
	switch stream {
	case 1: // it breaks within an event
		f.write(12)
		defer fmt.Fprint(w, "id: 13\ndata: {")
	case 2: // what was written meanwhile is told
		f.write(13, 14)
	case 3:
		fmt.Fprint(w, "id: 14\nevent: gap\ndata: {\"reason\":\"too many\"}\n\n")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	last, _ := strconv.ParseInt(r.Header.Get("Last-Event-ID"), 10, 64)
	for _, id := range f.ids {
		if id > last {
			fmt.Fprintf(w, "id: %d\ndata: %s\n\n", id, event(id, r.URL.Query().Get("type")))
		}
	}
}

func event(id int64, kind string) string {
	text, _ := json.Marshal(map[string]any{"id": id, "type": kind + ".down", "host": fmt.Sprint("h", id), "seen_at": "t", "site": "s", "summary": "x"})
	return string(text)
}

func (f *feed) list(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	q := r.URL.Query()
	ids := slices.Clone(f.ids)
	slices.Reverse(ids)
	limit, _ := strconv.Atoi(q.Get("limit"))
	items := []json.RawMessage{}
	for _, id := range ids[:min(limit, len(ids))] {
		items = append(items, json.RawMessage(event(id, q.Get("type"))))
	}
	json.NewEncoder(w).Encode(map[string]any{"items": items, "last_id": f.ids[len(f.ids)-1]})
}

func TestFollowingMissesNothing(t *testing.T) {
	isolate(t)
	f := &feed{ids: []int64{9, 10, 11}}
	service := httptest.NewServer(f)
	defer service.Close()
	run(t, "x\n", "login", "--url", service.URL, "--email", "a@b.c")
	code, out, errs := run(t, "", "events", "--follow", "--type", "host", "--limit", "2")
	if code != 3 {
		t.Errorf("ended by a refusal with exit code %d: %s", code, errs)
	}
	want := "SEEN AT  TYPE       HOST  SITE  SUMMARY\n"
	for _, id := range []int{10, 11, 12, 13, 14} {
		want += fmt.Sprintf("t        host.down  h%d   s     x\n", id)
	}
	if out != want {
		t.Errorf("printed\n%s\nwant\n%s", out, want)
	}
	if n := strings.Count(errs, "trying again"); n != 3 || !strings.Contains(errs, "missing here: too many") {
		t.Errorf("the stream broke three times, said so %d times: %s", n, errs)
	}

	f.streams, f.ids = 0, []int64{9, 10, 11}
	_, out, _ = run(t, "", "events", "-f", "-o", "json")
	var ids []int64
	for line := range strings.Lines(out) {
		var event struct{ ID int64 }
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		ids = append(ids, event.ID)
	}
	if !slices.Equal(ids, []int64{9, 10, 11, 12, 13, 14}) {
		t.Errorf("as JSON: %v", ids)
	}
	service.Close()
	if code, _, _ := run(t, "", "events", "--follow"); code != 5 {
		t.Errorf("no service: exit code %d, want 5", code)
	}
}
