package uplink

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"assimilation/uplink"
	"assimilation/wire"
)

const (
	// oldQuestion is dead: nobody waits for its answer.
	oldQuestion = time.Minute
	// maxAnswering is how many questions are answered at a time; the service asks
	// again for those beyond.
	maxAnswering = 4
)

// Questioned answers a question with a JSON body, see uplink.Topology.
type Questioned func(ctx context.Context, kind string) ([]byte, error)

// ErrNoSuchQuestion: the service asks for something that this program does not
// know.
var ErrNoSuchQuestion = errors.New("this relay does not know the question; it is older than the service")

// questions are those that were taken on, so that one that comes with several
// orders is answered once.
type questions struct {
	mu        sync.Mutex
	taken     map[[16]byte]time.Time
	answering int
}

// take reports whether a question is to be answered.
func (q *questions) take(id [16]byte, now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for other, at := range q.taken {
		if now.Sub(at) > 2*oldQuestion {
			delete(q.taken, other)
		}
	}
	if _, again := q.taken[id]; again || q.answering >= maxAnswering {
		return false
	}
	if q.taken == nil {
		q.taken = map[[16]byte]time.Time{}
	}
	q.taken[id] = now
	q.answering++
	return true
}

// done ends an answer. One that did not get through may be asked for again.
func (q *questions) done(id [16]byte, sent bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.answering--
	if !sent {
		delete(q.taken, id)
	}
}

// answer starts answering what came with orders. Ages are by the service's
// clock, which dated both.
func (r *Runner) answer(ctx context.Context, running *sync.WaitGroup, orders uplink.Orders) {
	for _, question := range orders.Questions {
		id := [16]byte(question.ID)
		if orders.Time-question.At > oldQuestion.Milliseconds() || !r.questions.take(id, time.Now()) {
			continue
		}
		running.Go(func() {
			err := r.reply(ctx, question)
			r.questions.done(id, err == nil)
			if err != nil && ctx.Err() == nil {
				r.Log.Warn("answering a question", "kind", question.Kind, "error", err)
			}
		})
	}
}

func (r *Runner) reply(ctx context.Context, question uplink.Question) error {
	ctx, cancel := context.WithTimeout(ctx, oldQuestion)
	defer cancel()
	answer := uplink.Answer{Question: question.ID, Time: time.Now().UnixMilli()}
	body, err := r.Questioned(ctx, question.Kind)
	switch {
	case errors.Is(err, ErrNoSuchQuestion):
		answer.Reason, answer.Detail = wire.Unsupported, err.Error()
	case err != nil:
		r.Log.Error("finding the answer to a question", "kind", question.Kind, "error", err)
		answer.Reason, answer.Detail = wire.Busy, "the relay could not find the answer; its log says why"
	case len(body) > uplink.MaxAnswer:
		answer.Reason, answer.Detail = wire.TooLarge, fmt.Sprintf("the answer has %d bytes, more than %d", len(body), uplink.MaxAnswer)
	default:
		answer.Body = body
	}
	return r.Service.Answer(ctx, answer)
}
