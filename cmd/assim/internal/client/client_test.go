package client

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A request whose answer was lost is sent again under the same name; one that
// never arrived, or was answered, is not.
func TestALostAnswerIsAskedForAgain(t *testing.T) {
	var keys []string
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		keys = append(keys, r.Header.Get("Idempotency-Key"))
		switch {
		case r.URL.Path == "/refused":
			w.WriteHeader(http.StatusConflict)
		case len(keys) == 1:
			panic(http.ErrAbortHandler)
		}
	}))
	defer service.Close()
	c, err := New(service.URL, "asm_api_x")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Do(t.Context(), "POST", "/x", nil, map[string]int{"a": 1}, nil); err != nil || len(keys) != 2 || keys[0] != keys[1] || keys[0] == "" {
		t.Errorf("%v, sent under %q", err, keys)
	}
	keys = nil
	if err := c.Do(t.Context(), "DELETE", "/x", nil, nil, nil); err == nil || len(keys) != 1 || keys[0] != "" {
		t.Errorf("DELETE: %v, sent under %q", err, keys)
	}
	keys = nil
	if err := c.Do(t.Context(), "POST", "/refused", nil, nil, nil); err == nil || len(keys) != 1 {
		t.Errorf("refused: %v, sent under %q", err, keys)
	}
}

func FuzzEvent(f *testing.F) {
	f.Add("id: 4711\nevent: gap\ndata: {\ndata: }\n: comment")
	f.Fuzz(func(t *testing.T, lines string) {
		var e Event
		for line := range strings.Lines(lines) {
			e.read(strings.TrimSuffix(line, "\n"))
		}
		if len(e.Data) > len(lines) {
			t.Errorf("%d bytes of data from %d", len(e.Data), len(lines))
		}
	})
}
