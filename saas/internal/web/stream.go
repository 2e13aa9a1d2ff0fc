package web

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"assimilation/tenancy"
)

const (
	heartbeat    = 15 * time.Second // below the idle timeout of common proxies
	writeTimeout = 10 * time.Second // a client that takes no bytes for so long is gone
)

// handleStream registers the live stream: one event per topic that changed, its
// data always {}; a client then fetches what it shows.
func (s *Web) handleStream() {
	Live(s, huma.Operation{
		OperationID: "stream", Path: "/v1/stream", Tags: []string{"live"}, Summary: "What changes, as it changes",
		Description: "Server-sent events. The event's name is the topic that changed: hosts, facts, events, verdicts, sites; " +
			"or resync: something may have been missed, look at everything again. What happened, without a gap: GET /v1/events/stream.",
	}, func(context.Context, *struct{}) (Tell, error) { return tellTopics, nil })
}

func tellTopics(_ context.Context, topics []Topic) (text string, more bool, err error) {
	for _, t := range topics {
		text += "event: " + string(t) + "\ndata: {}\n\n"
	}
	return text, false, nil
}

// Tell says what the client of a stream is sent for the topics that changed, as
// server-sent events; first without topics, when the stream opens. more: it wants to
// be called again at once.
type Tell func(ctx context.Context, topics []Topic) (text string, more bool, err error)

// Live registers a stream of server-sent events, by GET, for who may read. open
// makes what tells one client; its error is the answer.
func Live[I any](s *Web, op huma.Operation, open func(context.Context, *I) (Tell, error)) {
	op.Method, op.Metadata = http.MethodGet, needsLive(tenancy.Read)
	op.Responses = map[string]*huma.Response{"200": {Description: "events", Content: map[string]*huma.MediaType{"text/event-stream": {}}}}
	s.endless["GET "+op.Path] = true
	huma.Register(s.API, op, func(ctx context.Context, in *I) (*huma.StreamResponse, error) {
		actor := ActorFrom(ctx)
		tell, err := open(ctx, in)
		if err != nil {
			return nil, err
		}
		if !s.watching.add(person(actor)) {
			return nil, huma.Error429TooManyRequests("you have too many live streams")
		}
		sub, err := s.config.Hub.Subscribe(actor.Tenant)
		if err != nil {
			s.watching.remove(person(actor))
		}
		switch {
		case errors.Is(err, ErrTooManySubscriptions):
			return nil, huma.Error429TooManyRequests(err.Error())
		case err != nil:
			return nil, huma.Error503ServiceUnavailable(err.Error())
		}
		return &huma.StreamResponse{Body: func(ctx huma.Context) {
			defer s.watching.remove(person(actor))
			defer sub.Close()
			r, w := humago.Unwrap(ctx)
			s.stream(w, r.WithContext(WithActor(r.Context(), actor)), sub, tell)
		}}, nil
	})
}

// maxWatching is how many live streams one person may have, with all sessions
// and tokens: the tenant's others want some of theirs.
const maxWatching = 64

// person tells who asks, with whichever session or token; a token of nobody is by
// itself.
func person(a Actor) string {
	if a.User.IsZero() {
		return a.Token
	}
	return a.User.String()
}

// watching counts the live streams of each person.
type watching struct {
	mu    sync.Mutex
	count map[string]int
}

func (w *watching) add(user string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.count[user] >= maxWatching {
		return false
	}
	w.count[user]++
	return true
}

func (w *watching) remove(user string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.count[user]--; w.count[user] <= 0 {
		delete(w.count, user)
	}
}

// stream tells one client until it goes, or may not listen any more.
func (s *Web) stream(w http.ResponseWriter, r *http.Request, sub *Subscription, tell Tell) {
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
	sendAll := func(topics []Topic) bool {
		for {
			if !s.reading.enter(r.Context(), sub.tenant) {
				return false
			}
			text, more, err := tell(r.Context(), topics)
			s.reading.leave(sub.tenant)
			if err != nil {
				// The client comes back, and goes on where it was.
				if r.Context().Err() == nil {
					s.config.Log.Error("live stream", "path", r.URL.Path, "error", err)
				}
				return false
			}
			if text != "" && !send(text) {
				return false
			}
			if !more {
				return true
			}
		}
	}
	checked := time.Now()
	for ok := send(": listening\n\n") && sendAll(nil); ok; {
		wait, cancel := context.WithTimeout(r.Context(), heartbeat)
		topics, err := sub.Next(wait)
		cancel()
		people := slices.Contains(topics, People)
		topics = slices.DeleteFunc(topics, func(t Topic) bool { return t == People })
		idle := errors.Is(err, context.DeadlineExceeded) && r.Context().Err() == nil
		// A session or token that was revoked meanwhile ends here, at once; what merely
		// expired, within a heartbeat.
		if people || time.Since(checked) >= heartbeat {
			if _, problem := s.permit(r, tenancy.Read); problem != nil && problem.Status != http.StatusServiceUnavailable {
				return
			}
			checked = time.Now()
		}
		switch {
		case idle:
			ok = send(": still here\n\n")
		default:
			ok = err == nil && (len(topics) == 0 || sendAll(topics))
		}
	}
}
