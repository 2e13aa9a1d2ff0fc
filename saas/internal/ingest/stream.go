package ingest

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

// position is how far a relay's stream was taken in.
type position struct {
	epoch    uint64 // 0: nothing yet
	position uint64
	chain    uplink.Chain
}

// place is what to do with a batch: take the records behind skip (all of them
// skipped: take none), and where the stream stands then.
type place struct {
	skip     int
	newEpoch bool
	then     position
	detail   string
}

// judge compares a verified batch with the position. Only the next record may be
// taken; what was taken already is skipped if it is the same by the chain; for
// anything else the answer is the position, and the relay goes back to it, or
// begins a new epoch when it cannot.
func (have position) judge(relay tenancy.RelayID, h uplink.Header, all [][]byte) place {
	records := int(h.Last - h.First + 1)
	stay := func(why string, args ...any) place {
		return place{skip: records, then: have, detail: fmt.Sprintf(why, args...)}
	}
	after := position{h.Epoch, h.Last, uplink.Chain(h.Chain)}
	if h.Epoch != have.epoch {
		if h.First != 1 {
			return stay("epoch %d begins with record 1, not %d", h.Epoch, h.First)
		}
		if uplink.Chain(h.Prev) != uplink.ChainStart(relay, h.Epoch) {
			return stay("the chain does not begin at the epoch's start")
		}
		return place{newEpoch: true, then: after}
	}
	switch {
	case h.First > have.position+1:
		return stay("records %d to %d are missing", have.position+1, h.First-1)
	case h.Last <= have.position:
		return stay("taken before")
	}
	known := have.position + 1 - h.First
	if uplink.ChainOver(uplink.Chain(h.Prev), all[:known]) != have.chain {
		return stay("the chain differs at record %d", have.position)
	}
	return place{skip: int(known), then: after}
}

func (p place) ack(h uplink.Header) uplink.Ack {
	ack := uplink.Ack{Reason: wire.Accepted, Detail: p.detail, Epoch: p.then.epoch, Position: p.then.position, Nonce: h.Nonce}
	if p.then.epoch != 0 {
		ack.Chain = p.then.chain[:]
	}
	return ack
}

// readPosition reads how far the stream was taken in; lock is "FOR UPDATE" for who
// moves it.
func readPosition(ctx context.Context, tx pgx.Tx, from Source, lock string) (position, error) {
	var p position
	var chain []byte
	err := tx.QueryRow(ctx, `SELECT epoch, position, chain FROM assim.streams WHERE relay = $1 `+lock, from.Relay).Scan(&p.epoch, &p.position, &chain)
	if errors.Is(err, pgx.ErrNoRows) {
		return position{}, nil
	}
	if err != nil {
		return position{}, fmt.Errorf("reading the stream's position: %w", err)
	}
	copy(p.chain[:], chain)
	return p, nil
}

// beginEpoch notes a new epoch of the stream, and the gap that it stands for
// unless it is the first. One that ended long ago is an old batch sent again.
func (b *batch) beginEpoch(ctx context.Context, have position, ack uplink.Ack, first uplink.Entry) (uplink.Ack, error) {
	tag, err := b.tx.Exec(ctx, `INSERT INTO assim.stream_epochs (tenant, relay, epoch, begun_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
		b.from.Tenant, b.from.Relay, b.epoch, b.at)
	if err != nil {
		return ack, fmt.Errorf("noting a new epoch: %w", err)
	}
	if tag.RowsAffected() == 0 {
		stay := place{then: have, detail: "this epoch has ended"}.ack(uplink.Header{Nonce: ack.Nonce})
		stay.Reason = wire.Replayed
		return stay, nil
	}
	explained := first.Err == nil && first.Change.Type == uplink.RelayState && first.Change.Relay.Gap != nil
	if have.epoch != 0 && !explained {
		b.event(event{kind: "relay.gap", seenAt: b.at, detail: map[string]any{"cause": uplink.Restored,
			"detail": "the relay began its stream anew without saying why", "epoch": have.epoch, "first_record": have.position + 1}})
	}
	return ack, nil
}

// moveTo ends the batch: all records up to position are taken in.
func (b *batch) moveTo(ctx context.Context, chain uplink.Chain, position uint64) error {
	_, err := b.tx.Exec(ctx, `
		INSERT INTO assim.streams (tenant, relay, epoch, position, chain, updated_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (tenant, relay) DO UPDATE SET epoch = EXCLUDED.epoch, position = EXCLUDED.position, chain = EXCLUDED.chain, updated_at = EXCLUDED.updated_at`,
		b.from.Tenant, b.from.Relay, b.epoch, position, chain[:], b.at)
	if err != nil {
		return fmt.Errorf("moving the stream's position: %w", err)
	}
	return nil
}
