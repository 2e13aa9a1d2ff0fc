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
	overhead       = 128 // bytes of a message beside its body, about
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
	later  map[item]time.Time // refused for a reason that passes: not before then
	bytes  int                // of flying
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
		later:  map[item]time.Time{},
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
// when something that was put off may be sent again, zero if nothing was.
func (m *mirror) next(view ledger.View, now time.Time) (messages []due, retry time.Time) {
	count, bytes := len(m.flying), m.bytes
	for _, d := range m.differences(view, now) {
		if m.busy[d.item] {
			continue
		}
		if at, ok := m.later[d.item]; ok && now.Before(at) {
			retry = earliest(retry, at)
			continue
		}
		if count == maxFlying || (bytes > 0 && bytes+d.bytes > maxFlyingBytes) {
			break
		}
		count, bytes = count+1, bytes+d.bytes
		messages = append(messages, d)
	}
	return messages, retry
}

// differences lists all that the relay does not know as it is now: first what
// is gone, which is small and frees space, then problems, then facts.
func (m *mirror) differences(view ledger.View, now time.Time) (all []due) {
	for it := range m.known {
		_, held := view.Facts[it.key]
		_, stands := view.Problems[it.key]
		switch {
		case !it.problem && !held && m.synced[it.key.Kind]:
			all = append(all, due{item: it, message: &wire.FactGone{Kind: it.key.Kind, Instance: it.key.Instance, ObservedAt: now.UnixMilli()}, bytes: overhead})
		case it.problem && !stands:
			all = append(all, due{item: it, message: &wire.Problem{Kind: it.key.Kind, Instance: it.key.Instance}, bytes: overhead})
		}
	}
	for key, p := range view.Problems {
		it, s := item{true, key}, problemState(p)
		if m.known[it] != s {
			all = append(all, due{it, s, &wire.Problem{Kind: key.Kind, Instance: key.Instance, Reason: p.Reason, Detail: p.Detail}, len(p.Detail) + overhead})
		}
	}
	for key, fact := range view.Facts {
		it, s := item{key: key}, state(fact.Hash)
		if m.known[it] != s && m.synced[key.Kind] && !view.Refused(key) {
			all = append(all, due{it, s, put(fact), len(fact.Body) + overhead})
		}
	}
	return all
}

// launch notes that a message was handed to the link under an id.
func (m *mirror) launch(id uint32, d due) {
	m.flying[id] = flight{d.item, d.state, d.bytes}
	m.busy[d.item] = true
	m.bytes += d.bytes
	delete(m.later, d.item)
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
