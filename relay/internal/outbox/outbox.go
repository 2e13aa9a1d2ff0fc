// Package outbox decides which records go to the service next, and what the
// service's answer to them means.
//
//	                +--------- position within the outbox: forget up to it ---------+
//	                v                                                               |
//	Next -> batches (acked, ...] -> sealed, sent -> answer (epoch, position, chain) +
//	                ^                                                               |
//	                |      another epoch, a position that the outbox no longer      |
//	                +----- holds, or another chain, three times running: new epoch -+
//
// Several batches are on their way at a time. The service takes them in order;
// where one of them failed, the sender waits for the others and rewinds.
//
// The service is the authority on what it holds. Where it cannot be brought in
// line by sending what the outbox has (its database or the relay's disk was
// restored from a copy), the relay draws a new epoch, numbers what is left in
// the outbox anew and sends the state of all hosts and all current facts again:
// at once if the service fell back, as the probes confirm them if it was the
// relay, whose facts are older than the service's then.
package outbox

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"assimilation/relay/internal/store"
	"assimilation/uplink"
	"assimilation/wire"
)

// A resync adds hosts in steps, and only while the outbox is short: it must not
// crowd out what happens meanwhile.
const (
	resyncHosts   = 50
	resyncBacklog = 5000
)

// doubts is how many disagreeing answers in a row begin a new epoch: one may
// come from a replica that lags behind.
const doubts = 3

// Refused is the service's refusal of a batch.
type Refused struct {
	Reason wire.Reason
	Detail string
}

func (e *Refused) Error() string {
	return fmt.Sprintf("the service refused the batch: %s: %s", e.Reason, e.Detail)
}

// Disagreement is an answer that does not fit the outbox.
type Disagreement struct {
	Ack  uplink.Ack
	Head store.Head
}

func (e *Disagreement) Error() string {
	return fmt.Sprintf("the service stands at epoch %d position %d, the outbox holds epoch %d from %d to %d",
		e.Ack.Epoch, e.Ack.Position, e.Head.Epoch, e.Head.Acked, e.Head.Last)
}

// Outbox belongs to the one goroutine that sends.
type Outbox struct {
	Store *store.Store
	Log   *slog.Logger
	// Doubted is called when it is this relay that was restored: probes must list
	// their facts again.
	Doubted func()

	read    store.Records // the newest that was given out
	round   int           // counts rewinds
	doubted int
	doubter int // round of the newest answer that was doubted
}

// Batch is what is to be sent as one.
type Batch struct {
	store.Records
	acked uint64 // by the service, when it was given out
	round int
}

// Next returns the batch behind the one it returned before, or the first that is
// not acknowledged; it is empty when nothing waits.
func (o *Outbox) Next(ctx context.Context) (Batch, error) {
	head := o.Store.Head()
	if head.Resyncing && head.Backlog() < resyncBacklog {
		err := o.Store.Do(ctx, func(tx *store.Tx) error {
			_, err := tx.Resync(resyncHosts, time.Now().UnixMilli())
			return err
		})
		if err != nil {
			return Batch{}, fmt.Errorf("sending hosts anew: %w", err)
		}
		head = o.Store.Head()
	}
	// Of many hosts there is nothing to tell anew: then the next ones follow at once.
	for steps := 0; head.Retelling && head.Backlog() < resyncBacklog && (steps == 0 || head.Backlog() == 0); steps++ {
		err := o.Store.Do(ctx, func(tx *store.Tx) error {
			_, err := tx.Retell(resyncHosts, time.Now().UnixMilli())
			return err
		})
		if err != nil {
			return Batch{}, fmt.Errorf("telling hosts anew: %w", err)
		}
		head = o.Store.Head()
	}
	var records store.Records
	var err error
	if o.read.Epoch == head.Epoch && o.read.Last > head.Acked {
		records, err = o.Store.RecordsAfter(ctx, o.read, store.BatchRecords, o.Store.BatchBytes())
	} else {
		records, err = o.Store.Records(ctx, store.BatchRecords, o.Store.BatchBytes())
	}
	return Batch{records, head.Acked, o.round}, err
}

// Sending notes that the batch is on its way: Next returns what is behind it.
func (o *Outbox) Sending(b Batch) { o.read = b.Records }

// Rewind goes back to the first record that is not acknowledged. Nothing is on
// its way any more.
func (o *Outbox) Rewind() { o.read, o.round = store.Records{}, o.round+1 }

// Early is the service's answer that what comes before the batch has not come.
type Early struct{ First, Position uint64 }

func (e *Early) Error() string {
	return fmt.Sprintf("the service stands at %d and did not wait for what comes before record %d", e.Position, e.First)
}

// Needed is the service's answer that it lacks bodies that the batch refers to.
// The next batch does not refer to them.
type Needed struct{ Bodies int }

func (e *Needed) Error() string {
	return fmt.Sprintf("the service lacks %d bodies that it had", e.Bodies)
}

// Settle takes in the service's answer to a batch. It returns nil when the
// service has the batch, or a part of it that is news.
func (o *Outbox) Settle(ctx context.Context, b Batch, ack uplink.Ack) error {
	head := o.Store.Head()
	if b.Epoch != head.Epoch || ack.Epoch == head.Epoch && ack.Position >= b.acked && ack.Position < head.Acked {
		return nil // the answer to a later one came before
	}
	if len(ack.Need) > 0 {
		return o.need(ctx, ack.Need)
	}
	fits, err := o.fits(ctx, head, ack)
	switch {
	case err != nil:
		return err
	case fits:
		o.doubted = 0
		err := o.Store.Do(ctx, func(tx *store.Tx) error { return tx.Acknowledge(ack.Position) })
		if err != nil {
			return fmt.Errorf("noting an acknowledgement: %w", err)
		}
	case head.Acked == 0 && ack.Epoch != head.Epoch && ack.Reason != wire.Replayed:
		// Nothing of this epoch was taken yet, so another one is what the service
		// must still know. There is nothing to agree on until it takes the first,
		// or says that it had this epoch long ago.
	default:
		return o.disagree(ctx, b, &Disagreement{ack, head})
	}
	switch {
	case fits && (ack.Position > head.Acked || ack.Position >= b.Last):
		return nil
	case ack.Reason != wire.Accepted:
		return &Refused{ack.Reason, ack.Detail}
	case ack.Position+1 < b.First:
		return &Early{b.First, ack.Position}
	}
	return fmt.Errorf("the service stays at epoch %d position %d", ack.Epoch, ack.Position)
}

func (o *Outbox) need(ctx context.Context, hashes [][]byte) error {
	var dropped int64
	err := o.Store.Do(ctx, func(tx *store.Tx) (err error) {
		dropped, err = tx.DropBases(hashes)
		return err
	})
	switch {
	case err != nil:
		return err
	case dropped == 0:
		return fmt.Errorf("the service asks for %d bodies that were not left out", len(hashes))
	}
	return &Needed{len(hashes)}
}

// fits reports whether the service stands where this outbox can go on from.
func (o *Outbox) fits(ctx context.Context, head store.Head, ack uplink.Ack) (bool, error) {
	if ack.Epoch != head.Epoch || ack.Position < head.Acked || ack.Position > head.Last {
		return false, nil
	}
	chain, err := o.Store.ChainAt(ctx, ack.Position)
	if err != nil {
		return false, err
	}
	return ack.Chain == nil || uplink.Chain(ack.Chain) == chain, nil
}

func (o *Outbox) disagree(ctx context.Context, b Batch, d *Disagreement) error {
	if o.doubted > 0 && o.doubter == b.round {
		return d // batches that are on their way together are one question
	}
	o.doubted, o.doubter = o.doubted+1, b.round
	if o.doubted < doubts {
		return d
	}
	o.doubted = 0
	rift := store.Rift{Epoch: d.Ack.Epoch, Position: d.Ack.Position}
	err := o.Store.Do(ctx, func(tx *store.Tx) error { return tx.Mend(rift, time.Now().UnixMilli()) })
	if err != nil {
		return fmt.Errorf("beginning a new epoch: %w", err)
	}
	restored := "the service"
	if !rift.Behind(d.Head) {
		restored = "this relay"
		o.Doubted()
	}
	o.Log.Error("the service and this relay disagree about the stream: one of them was restored from a copy; sending everything anew",
		"restored", restored, "service_epoch", d.Ack.Epoch, "service_position", d.Ack.Position,
		"epoch", d.Head.Epoch, "acked", d.Head.Acked, "last", d.Head.Last, "new_epoch", o.Store.Head().Epoch)
	return d
}
