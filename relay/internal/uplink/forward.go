package uplink

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"assimilation/relay/internal/outbox"
	"assimilation/relay/internal/store"
	"assimilation/uplink"
	"assimilation/wire"
)

// Forward sends the outbox until ctx ends or the relay turns out to be revoked.
//
// As long as the service takes what comes, store.Window batches are on their
// way, so that a long way costs no throughput. Only whole batches follow one
// that has no answer yet: a trickle of records gathers instead. After anything
// else than success, what is on its way comes home, and one batch goes alone.
func (r *Runner) Forward(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	f := &forwarder{
		Runner: r, box: &outbox.Outbox{Store: r.Store, Log: r.Log, Doubted: r.Doubted},
		answers: make(chan answer, store.Window), width: 1, pause: newBackoff(),
	}
	defer func() {
		cancel()
		for ; f.flying > 0; f.flying-- {
			<-f.answers
		}
	}()
	for ctx.Err() == nil {
		if err := f.step(ctx); errors.Is(err, ErrRevoked) {
			return err
		}
	}
	return nil
}

// forwarder is the state of Forward.
type forwarder struct {
	*Runner
	box     *outbox.Outbox
	answers chan answer // has room for all that fly
	flying  int
	width   int // how many may fly
	halted  error
	pause   *backoff
}

type answer struct {
	batch outbox.Batch
	ack   uplink.Ack
	err   error
}

// step sends, or waits for the next thing to happen.
func (f *forwarder) step(ctx context.Context) error {
	sent, err := f.send(ctx)
	if err != nil {
		f.halt(err)
	}
	switch {
	case sent:
		return nil
	case f.flying > 0:
		return f.land(ctx, <-f.answers)
	case f.halted != nil:
		err := f.halted
		f.halted = nil
		f.box.Rewind()
		var needed *outbox.Needed
		var early *outbox.Early
		switch {
		case errors.As(err, &needed):
			f.Log.Info("sending bodies again", "bodies", needed.Bodies)
			return nil
		case !errors.As(err, &early):
			f.failed(&f.health.Batches, "forwarding records", err)
		}
		wait(ctx, f.pause.next(after(err)), nil)
	default:
		wait(ctx, time.Minute, f.Store.Appended())
		wait(ctx, linger, nil)
	}
	return nil
}

// send starts one batch, if there is one and it may go.
func (f *forwarder) send(ctx context.Context) (bool, error) {
	if f.halted != nil || f.flying >= f.width {
		return false, nil
	}
	if f.flying == 0 && f.Ahead != nil {
		if err := f.Ahead(ctx); err != nil {
			return false, err
		}
	}
	batch, err := f.box.Next(ctx)
	if err != nil || len(batch.Encoded) == 0 || f.flying > 0 && !batch.Whole {
		return false, err
	}
	f.box.Sending(batch)
	f.flying++
	go func() {
		ctx, span := f.tracer().Start(ctx, "send a batch", trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
			attribute.Int("assimilation.batch.records", len(batch.Encoded))))
		defer span.End()
		records, err := shorten(ctx, f.Store, batch.Encoded)
		var ack uplink.Ack
		if err == nil {
			ack, err = f.Service.Send(ctx, batch.Records, records)
		}
		if err != nil {
			span.RecordError(err)
			span.SetStatus(codes.Error, "the batch was not taken")
		}
		f.answers <- answer{batch, ack, err}
	}()
	return true, nil
}

func (f *forwarder) tracer() trace.Tracer {
	if f.Traces == nil {
		return noop.Tracer{}
	}
	return f.Traces.Tracer("assimilation/relay")
}

// land takes in an answer.
func (f *forwarder) land(ctx context.Context, a answer) error {
	f.flying--
	err := a.err
	if err == nil && a.ack.Reason == wire.Revoked {
		return ErrRevoked
	}
	if err == nil {
		err = f.box.Settle(ctx, a.batch, a.ack)
	}
	switch head := f.Store.Head(); {
	case ctx.Err() != nil:
	case err != nil:
		f.halt(err)
	case head.Epoch == a.batch.Epoch && head.Acked < a.batch.Last:
		f.halt(&outbox.Early{First: head.Acked + 1, Position: a.ack.Position}) // it took a part
		f.pause.reset()
	default:
		f.succeeded(&f.health.Batches)
		f.pause.reset()
		if f.halted == nil {
			f.width = store.Window
		}
		if !a.batch.Whole && head.Backlog() > 0 {
			wait(ctx, linger, nil) // more are coming: let them gather
		}
	}
	return nil
}

// halt keeps more from flying until all have landed.
func (f *forwarder) halt(err error) {
	if f.halted == nil {
		f.halted = err
	}
	f.width = 1
}
