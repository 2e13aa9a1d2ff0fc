package send

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"assimilation/discovery"
	"assimilation/probe/internal/ledger"
	"assimilation/wire"
)

// Bounds on what waits for the relay's word at one time. A single message may
// exceed maxFlyingBytes; then it flies alone.
const (
	maxFlying      = 32
	maxFlyingBytes = 512 << 10
)

// state is the content of an item as a hash; the zero state is "not there".
type state [sha256.Size]byte

// unknown is the state of an item of which nobody here knows whether the relay
// has it: it differs from every real one.
var unknown = state{1}

// item is one thing that the relay shall know: a fact or a problem.
type item struct {
	problem bool
	key     ledger.Key
}

// mirror compares what the probe holds with what the relay is known to hold,
// durably, and says what to send next. At most one message per item is under
// way, so its states cannot overtake one another, and an item that changes
// five times meanwhile is sent once.
type mirror struct {
	synced map[string]bool // kinds of which known is complete
	known  map[item]state  // acknowledged as durable in this session
	flying map[uint32]flight
	busy   map[item]bool
	bytes  int // of flying
}

// flight is a message whose fate is not known.
type flight struct {
	item  item
	state state
	bytes int
}

func newMirror() *mirror {
	return &mirror{
		synced: map[string]bool{},
		known:  map[item]state{},
		flying: map[uint32]flight{},
		busy:   map[item]bool{},
	}
}

// assume notes the relay's answer to digests: it lacks the needed facts and
// holds the others of these kinds as listed.
func (m *mirror) assume(asked *wire.Digests, needed []wire.Digest) {
	lacks := make(map[ledger.Key]bool, len(needed))
	for _, d := range needed {
		lacks[ledger.Key{Kind: d.Kind, Instance: d.Instance}] = true
	}
	for _, d := range asked.Facts {
		key := ledger.Key{Kind: d.Kind, Instance: d.Instance}
		if !lacks[key] {
			m.known[item{key: key}] = state(d.Hash)
		}
	}
	for _, kind := range asked.Kinds {
		m.synced[kind] = true
	}
}

// due is a message to be sent, and what it will have told.
type due struct {
	item    item
	state   state
	message wire.Message
	bytes   int
}

// next returns what is to be sent now, as much as may be under way; retry is
// when a refused fact may be offered again.
func (m *mirror) next(view ledger.View, now time.Time) (messages []due, retry time.Time) {
	room := func() bool {
		return len(m.flying)+len(messages) < maxFlying && (m.bytes == 0 || m.bytes < maxFlyingBytes)
	}
	add := func(d due) {
		m.bytes += d.bytes // counted now, so that room sees it
		messages = append(messages, d)
	}
	for it := range m.known { // what is gone first: it is small and frees space
		if _, held := view.Facts[it.key]; it.problem || held || m.busy[it] || !m.synced[it.key.Kind] || !room() {
			continue
		}
		add(due{item: it, message: &wire.FactGone{Kind: it.key.Kind, Instance: it.key.Instance, ObservedAt: now.UnixMilli()}, bytes: 64})
	}
	for key, fact := range view.Facts {
		it := item{key: key}
		if m.known[it] == state(fact.Hash) || m.busy[it] || !m.synced[key.Kind] || !room() {
			continue
		}
		if until, refused := view.Refused(key, now); refused {
			retry = earliest(retry, until)
			continue
		}
		add(due{it, state(fact.Hash), put(fact), len(fact.Body) + 128})
	}
	for _, d := range m.problems(view) {
		if room() {
			add(d)
		}
	}
	for _, d := range messages {
		m.bytes -= d.bytes // launch counts what was really sent
	}
	return messages, retry
}

// problems compares the problems. Of one that the relay may still show from an
// earlier life of this probe, the state is unknown; so it is withdrawn once.
func (m *mirror) problems(view ledger.View) (messages []due) {
	for key, p := range view.Problems {
		it, s := item{true, key}, problemState(p)
		if m.known[it] != s && !m.busy[it] {
			messages = append(messages, due{it, s, &wire.Problem{Kind: key.Kind, Instance: key.Instance, Reason: p.Reason, Detail: p.Detail}, len(p.Detail) + 64})
		}
	}
	for it := range m.known {
		if _, stands := view.Problems[it.key]; it.problem && !stands && !m.busy[it] {
			messages = append(messages, due{it, state{}, &wire.Problem{Kind: it.key.Kind, Instance: it.key.Instance}, 64})
		}
	}
	return messages
}

// launch notes that a message was handed to the link under an id.
func (m *mirror) launch(id uint32, d due) {
	m.flying[id] = flight{d.item, d.state, d.bytes}
	m.busy[d.item] = true
	m.bytes += d.bytes
}

// land takes a message out of the air; ok is false if it was none of the
// mirror's.
func (m *mirror) land(id uint32) (f flight, ok bool) {
	f, ok = m.flying[id]
	if ok {
		delete(m.flying, id)
		delete(m.busy, f.item)
		m.bytes -= f.bytes
	}
	return f, ok
}

// delivered notes that the relay holds what the message said.
func (m *mirror) delivered(f flight) {
	if f.state == (state{}) {
		delete(m.known, f.item)
		return
	}
	m.known[f.item] = f.state
}

// count says how many facts the relay holds as they are now, of those held.
func (m *mirror) count(view ledger.View) (sent int) {
	for key, fact := range view.Facts {
		if m.known[item{key: key}] == state(fact.Hash) {
			sent++
		}
	}
	return sent
}

func put(held ledger.Held) *wire.FactPut {
	return &wire.FactPut{Digest: digest(held.Fact), Body: held.Body, ObservedAt: held.ObservedAt.UnixMilli()}
}

func digest(f discovery.Fact) wire.Digest {
	return wire.Digest{Kind: f.Kind, Instance: f.Instance, Hash: f.Hash[:], Version: uint8(f.Version)}
}

func problemState(p ledger.Problem) state {
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint16(nil, uint16(p.Reason)))
	h.Write([]byte(p.Detail))
	return state(h.Sum(nil))
}

// earliest is the earlier of two times of which zero means never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
