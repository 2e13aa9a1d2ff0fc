package store

import (
	"database/sql"
	"fmt"
	"strings"

	"assimilation/uplink"
)

// What the sender may have on its way at a time: Window batches of at most
// BatchRecords records and, unless it is one record, Store.BatchBytes bytes.
// Records beyond that were never sent, so nobody knows their numbers.
const (
	Window       = 4
	BatchRecords = 500

	minBatchBytes = 64 << 10
	maxBatchBytes = 4 << 20
)

// DefaultBudget is how much the outbox holds before it is thinned.
const DefaultBudget = 4 << 30

// BatchBytes is 4 MiB, the packages of some 40 hosts: what is alike compresses
// within a batch. It is less where the outbox may hold little.
func (s *Store) BatchBytes() int { return int(min(max(s.budget/16, minBatchBytes), maxBatchBytes)) }

// Full reports whether the outbox holds twice its budget: even the latest fact
// of every key is more than that. Probes are put off then; they keep what they
// have to say, and the newest is sent when there is room again.
func (s *Store) Full() bool { return s.backlog.Load() > 2*s.budget }

// keepBudget thins the outbox when it holds more than its budget, and again when
// it has grown by an eighth of it since.
func (tx *Tx) keepBudget() error {
	s := tx.writer.store
	size := s.backlog.Load() + tx.grown
	if size <= s.budget || size < tx.writer.thinned+s.budget/8 {
		return nil
	}
	before := size
	dropped, err := tx.thin()
	if err != nil {
		return fmt.Errorf("thinning the outbox: %w", err)
	}
	size = s.backlog.Load() + tx.grown
	tx.writer.thinned = size
	if dropped > 0 {
		s.log.Warn("the outbox is over its budget; records that later ones make dispensable are left out",
			"budget", s.budget, "bytes_before", before, "bytes_after", size, "records", dropped)
	}
	return nil
}

// thin leaves out every record that was not sent yet and that a later one makes
// dispensable, numbers those behind the first of them anew, and says so in a
// record of the gap.
func (tx *Tx) thin() (dropped uint64, err error) {
	cut, chain, err := tx.sendable()
	if err != nil {
		return 0, err
	}
	gone, err := tx.dispensable(cut)
	if err != nil || len(gone) == 0 {
		return 0, err
	}
	// gone is newest first.
	first, last := gone[len(gone)-1], gone[0]
	gap := uplink.Gap{Cause: uplink.Thinned}
	for _, seq := range gone {
		marker, err := tx.forget(seq, seq == first || seq == last, &gap)
		if err != nil {
			return 0, err
		}
		if !marker {
			dropped++
		}
	}
	gap.Records += dropped
	if first > cut+1 {
		if chain, err = tx.chainAt(first - 1); err != nil {
			return 0, err
		}
	}
	end := tx.head.Last
	tx.head.Last, tx.head.Chain, tx.moved = first-1, chain, true
	if err := tx.closeUp(first, end); err != nil {
		return 0, err
	}
	// At the end, where it cannot come to be sendable before it has grown.
	return dropped, tx.Append(uplink.Change{Type: uplink.RelayState, SeenAt: gap.Until, Relay: &uplink.RelayBody{
		Event: "gap", Gap: &gap,
		Detail: "the outbox was full: steps between are left out, what is current comes whole",
	}})
}

// sendable is the newest record that may have been sent, and the running hash
// after it.
func (tx *Tx) sendable() (cut uint64, chain uplink.Chain, err error) {
	cut, chain = tx.head.Acked, tx.head.AckedChain
	batches, records, bytes, limit := 0, BatchRecords, 0, tx.writer.store.BatchBytes()
	err = tx.each("SELECT seq, length(record) FROM outbox WHERE seq > ? ORDER BY seq LIMIT ?",
		[]any{int64(tx.head.Acked), Window * BatchRecords}, func(rows *sql.Rows) error {
			var seq uint64
			var size int
			if err := rows.Scan(&seq, &size); err != nil {
				return err
			}
			if records == BatchRecords || bytes+size > limit {
				batches, records, bytes = batches+1, 0, 0
			}
			if records, bytes = records+1, bytes+size; batches <= Window {
				cut = seq
			}
			return nil
		})
	if err == nil && cut > tx.head.Acked {
		chain, err = tx.chainAt(cut)
	}
	return cut, chain, err
}

// dispensable lists, newest first, the records behind cut of whose topic there
// is a later one, and the marker of an earlier thinning with them.
func (tx *Tx) dispensable(cut uint64) (gone []uint64, err error) {
	later, news := map[string]bool{}, false
	err = tx.each("SELECT seq, topic FROM outbox WHERE seq > ? AND topic IS NOT NULL ORDER BY seq DESC", []any{int64(cut)}, func(rows *sql.Rows) error {
		var seq uint64
		var topic []byte
		if err := rows.Scan(&seq, &topic); err != nil {
			return err
		}
		marker := string(topic) == thinnedTopic
		if marker || later[string(topic)] {
			gone = append(gone, seq)
			news = news || !marker
		}
		later[string(topic)] = true
		return nil
	})
	if !news {
		gone = nil
	}
	return gone, err
}

// forget takes a record out and adds what it says of the time of the gap. An
// earlier marker adds its own gap.
func (tx *Tx) forget(seq uint64, edge bool, gap *uplink.Gap) (marker bool, err error) {
	var topic []byte
	var size int64
	if _, err := tx.row("SELECT topic, length(record) FROM outbox WHERE seq = ?", []any{int64(seq)}, &topic, &size); err != nil {
		return false, err
	}
	marker = string(topic) == thinnedTopic
	if edge || marker {
		var record []byte
		if _, err := tx.row("SELECT record FROM outbox WHERE seq = ?", []any{int64(seq)}, &record); err != nil {
			return false, err
		}
		change, err := uplink.DecodeRecord(record)
		if err != nil {
			return false, fmt.Errorf("record %d: %w", seq, err)
		}
		since, until := change.SeenAt, change.SeenAt
		if marker {
			since, until = change.Relay.Gap.Since, change.Relay.Gap.Until
			gap.Records += change.Relay.Gap.Records
		}
		if gap.Since == 0 || since < gap.Since {
			gap.Since = since
		}
		gap.Until = max(gap.Until, until)
	}
	if err := tx.exec("DELETE FROM outbox WHERE seq = ?", int64(seq)); err != nil {
		return false, err
	}
	tx.grown -= size
	return marker, nil
}

// closeUp numbers the records from first+1 to end anew, without the holes.
func (tx *Tx) closeUp(first, end uint64) error {
	for seq := first + 1; seq <= end; seq++ {
		var record, topic []byte
		found, err := tx.row("SELECT record, topic FROM outbox WHERE seq = ?", []any{int64(seq)}, &record, &topic)
		if err != nil {
			return err
		}
		if !found {
			continue
		}
		change, err := uplink.DecodeRecord(record)
		if err != nil {
			return fmt.Errorf("record %d: %w", seq, err)
		}
		if err := tx.exec("DELETE FROM outbox WHERE seq = ?", int64(seq)); err != nil {
			return err
		}
		tx.grown -= int64(len(record))
		if err := tx.pass(change); err != nil {
			return err
		}
	}
	return nil
}

// thinnedTopic is that of the markers of thinning: there is one at most.
const thinnedTopic = "gap"

// factTopic begins the topics of facts.
const factTopic = 'f'

// factOf reads the topic of a fact.
func factOf(topic []byte) (host []byte, kind, instance string, ok bool) {
	if len(topic) < 17 || topic[0] != factTopic {
		return nil, "", "", false
	}
	parts := strings.Split(string(topic[17:]), "\x00")
	if len(parts) != 3 {
		return nil, "", "", false
	}
	return topic[1:17], parts[0], parts[1], true
}

// topicOf names what a record is about, nil if it must be told whatever follows.
// Facts: each fact. States of a host that do not introduce it. Refusals: of the
// same about the same. Verdicts: each, of which the newest says all.
func topicOf(c uplink.Change) []byte {
	var topic []byte
	about := func(letter byte, parts ...string) {
		topic = append(append(topic, letter), c.Host.UUID[:]...)
		for _, part := range parts {
			topic = append(append(topic, part...), 0)
		}
	}
	switch {
	case c.Type == uplink.FactPut || c.Type == uplink.FactGone:
		about(factTopic, c.Kind, c.Instance)
	case c.Type == uplink.FactList:
		about('l', c.Kind)
	case c.Type == uplink.HostState && c.HostState.Name == "":
		about('s')
	case c.Type == uplink.HostState && !c.HostState.Enrolled:
		about('h')
	case c.Type == uplink.Refusal:
		about('r', c.Refusal.Subject, c.Kind, c.Instance)
	case c.Type == uplink.Verdict:
		return append([]byte{'v'}, c.Verdict.ID...)
	case c.Type == uplink.RelayState && c.Relay.Gap != nil && c.Relay.Gap.Cause == uplink.Thinned:
		return []byte(thinnedTopic)
	}
	return topic
}
