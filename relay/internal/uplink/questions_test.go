package uplink_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"assimilation/relay/internal/servicetest"
	service "assimilation/relay/internal/uplink"
	"assimilation/uplink"
	"assimilation/wire"
)

// await returns the answer to a question; it is asked with every request for
// orders, so what must not be answered is long overdue when more were made.
func awaitAnswer(t *testing.T, answers <-chan uplink.Answer) uplink.Answer {
	t.Helper()
	select {
	case a := <-answers:
		return a
	case <-time.After(time.Minute):
		t.Fatal("the question was not answered")
		return uplink.Answer{}
	}
}

func TestQuestionsAreAnsweredOnce(t *testing.T) {
	r := newRelay(t)
	var asked atomic.Int64
	r.runner.Questioned = func(_ context.Context, kind string) ([]byte, error) {
		switch kind {
		case "topology":
			asked.Add(1)
			return []byte(`{"relay":"relay"}`), nil
		case "broken":
			return nil, errors.New("disk I/O error")
		}
		return nil, service.ErrNoSuchQuestion
	}
	r.run(r.runner.Listen)
	_, old := r.service.Ask("topology", time.Now().Add(-2*time.Minute))
	id, answers := r.service.Ask("topology", time.Now())
	a := awaitAnswer(t, answers)
	if a.Reason != wire.Accepted || string(a.Body) != `{"relay":"relay"}` || [16]byte(a.Question) != id {
		t.Errorf("%+v", a)
	}
	_, answers = r.service.Ask("of-tomorrow", time.Now())
	if a := awaitAnswer(t, answers); a.Reason != wire.Unsupported || a.Body != nil || a.Detail == "" {
		t.Errorf("%+v", a)
	}
	_, answers = r.service.Ask("broken", time.Now())
	if a := awaitAnswer(t, answers); a.Reason != wire.Busy || a.Detail == "disk I/O error" {
		t.Errorf("%+v", a)
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("one question was answered %d times", n)
	}
	select {
	case a := <-old:
		t.Errorf("a dead question was answered: %+v", a)
	default:
	}
}

func TestAnAnswerThatGotLostIsGivenAgain(t *testing.T) {
	r := newRelay(t)
	r.runner.Questioned = func(context.Context, string) ([]byte, error) { return []byte(`{}`), nil }
	var posts atomic.Int64
	r.service.Fail(func(path string) servicetest.Fault {
		if path == "/relay/v1/answer" && posts.Add(1) == 1 {
			return servicetest.Fault{Status: 502}
		}
		return servicetest.Fault{}
	})
	r.run(r.runner.Listen)
	_, answers := r.service.Ask("topology", time.Now())
	awaitAnswer(t, answers)
}
