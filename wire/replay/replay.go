// Package replay is the sliding window (RFC 6479) that tells a datagram's
// counter seen before from a fresh one.
package replay

import "assimilation/wire"

const (
	words = wire.ReplayWindow/64 + 1 // one spare, so that a whole word is cleared when the window moves
	ring  = words * 64
)

// Window remembers which of the last wire.ReplayWindow counters were accepted.
// The zero value has seen none. Counters end at 2^64-2.
type Window struct {
	next uint64 // highest accepted counter + 1
	bits [words]uint64
}

// Check reports whether the counter is fresh. It changes nothing, so it may be
// asked before the datagram has proved authentic.
func (w *Window) Check(counter uint64) bool {
	if counter >= w.next {
		return true
	}
	if w.next-counter > wire.ReplayWindow {
		return false
	}
	return w.bits[counter/64%words]&(1<<(counter%64)) == 0
}

// Accept marks the counter as seen and reports whether it was fresh. Only the
// counter of an authentic datagram may come here: it moves the window.
func (w *Window) Accept(counter uint64) bool {
	if !w.Check(counter) {
		return false
	}
	if counter >= w.next {
		if w.next > 0 {
			w.clear((w.next-1)/64+1, counter/64)
		}
		w.next = counter + 1
	}
	w.bits[counter/64%words] |= 1 << (counter % 64)
	return true
}

// clear empties the words first to last, counted from counter 0.
func (w *Window) clear(first, last uint64) {
	if last-first >= words && last >= first {
		w.bits = [words]uint64{}
		return
	}
	for ; first <= last; first++ {
		w.bits[first%words] = 0
	}
}
