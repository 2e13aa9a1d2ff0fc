package web

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"assimilation/tenancy"
)

const (
	streamPath   = "/v1/stream"
	heartbeat    = 15 * time.Second // below the idle timeout of common proxies
	writeTimeout = 10 * time.Second // a client that takes no bytes for so long is gone
)

// handleStream registers the live stream (server-sent events): one event per
// topic that changed, its data always {}; a client then fetches what it shows.
func (s *Web) handleStream() {
	huma.Register(s.API, huma.Operation{
		OperationID: "stream", Method: http.MethodGet, Path: streamPath, Metadata: Needs(tenancy.Read), Tags: []string{"live"},
		Summary: "What changes, as it changes",
		Description: "Server-sent events. The event's name is the topic that changed: hosts, facts, events, verdicts, sites; " +
			"or resync: something may have been missed, look at everything again. What happened, without a gap: GET /v1/events?after=ID at each events or resync.",
		Responses: map[string]*huma.Response{"200": {Description: "events", Content: map[string]*huma.MediaType{"text/event-stream": {}}}},
	}, func(ctx context.Context, _ *struct{}) (*huma.StreamResponse, error) {
		actor := ActorFrom(ctx)
		if !s.watching.add(actor.User) {
			return nil, huma.Error429TooManyRequests("you have too many live streams")
		}
		sub, err := s.config.Hub.Subscribe(actor.Tenant)
		if err != nil {
			s.watching.remove(actor.User)
		}
		switch {
		case errors.Is(err, ErrTooManySubscriptions):
			return nil, huma.Error429TooManyRequests(err.Error())
		case err != nil:
			return nil, huma.Error503ServiceUnavailable(err.Error())
		}
		return &huma.StreamResponse{Body: func(ctx huma.Context) {
			defer s.watching.remove(actor.User)
			defer sub.Close()
			r, w := humago.Unwrap(ctx)
			s.stream(w, r, sub)
		}}, nil
	})
}

// maxWatching is how many live streams one person may have, with all sessions
// and tokens: the tenant's others want some of theirs.
const maxWatching = 64

// watching counts the live streams of each person.
type watching struct {
	mu    sync.Mutex
	count map[tenancy.UserID]int
}

func (w *watching) add(user tenancy.UserID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.count[user] >= maxWatching {
		return false
	}
	w.count[user]++
	return true
}

func (w *watching) remove(user tenancy.UserID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.count[user]--; w.count[user] <= 0 {
		delete(w.count, user)
	}
}

func (s *Web) stream(w http.ResponseWriter, r *http.Request, sub *Subscription) {
	s.metrics.streams.Inc()
	defer s.metrics.streams.Dec()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	control := http.NewResponseController(w)
	send := func(text string) bool {
		if err := control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return false
		}
		if _, err := io.WriteString(w, text); err != nil {
			return false
		}
		return control.Flush() == nil
	}
	checked := time.Now()
	for ok := send(": listening\n\n"); ok; {
		wait, cancel := context.WithTimeout(r.Context(), heartbeat)
		topics, err := sub.Next(wait)
		cancel()
		text, people := "", false
		for _, t := range topics {
			if t == People {
				people = true
				continue
			}
			text += "event: " + string(t) + "\ndata: {}\n\n"
		}
		if errors.Is(err, context.DeadlineExceeded) && r.Context().Err() == nil {
			text, err = ": still here\n\n", nil
		}
		// A session or token that was revoked meanwhile ends here, at once; what merely
		// expired, within a heartbeat.
		if people || time.Since(checked) >= heartbeat {
			if _, problem := s.permit(r, tenancy.Read); problem != nil && problem.Status != http.StatusServiceUnavailable {
				return
			}
			checked = time.Now()
		}
		ok = err == nil && (text == "" || send(text))
	}
}
