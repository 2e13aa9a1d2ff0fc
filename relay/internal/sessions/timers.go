package sessions

import (
	"container/heap"
	"time"
)

// timer is the place of a peer, a host or a wait in the queue of deadlines.
type timer struct {
	at  time.Time
	pos int // in the heap, from 1; 0: not in it
}

func (t *timer) deadline() *timer { return t }

// timed is a *peer, a *host or a *wait.
type timed interface{ deadline() *timer }

// timers is a heap of deadlines, one per peer, host and wait.
type timers struct{ heap []timed }

func (q *timers) Len() int           { return len(q.heap) }
func (q *timers) Less(i, j int) bool { return q.heap[i].deadline().at.Before(q.heap[j].deadline().at) }
func (q *timers) Swap(i, j int) {
	q.heap[i], q.heap[j] = q.heap[j], q.heap[i]
	q.heap[i].deadline().pos, q.heap[j].deadline().pos = i+1, j+1
}

// Push and Pop are for package heap.
func (q *timers) Push(x any) {
	item := x.(timed)
	q.heap = append(q.heap, item)
	item.deadline().pos = len(q.heap)
}

func (q *timers) Pop() any {
	last := len(q.heap) - 1
	item := q.heap[last]
	q.heap[last] = nil
	q.heap = q.heap[:last]
	item.deadline().pos = 0
	return item
}

// set moves the item to a deadline; the zero time takes it out.
func (q *timers) set(item timed, at time.Time) {
	t := item.deadline()
	switch {
	case at.IsZero() && t.pos > 0:
		heap.Remove(q, t.pos-1)
	case at.IsZero() || t.pos > 0 && t.at.Equal(at):
	case t.pos > 0:
		t.at = at
		heap.Fix(q, t.pos-1)
	default:
		t.at = at
		heap.Push(q, item)
	}
}

func (q *timers) next() (time.Time, bool) {
	if len(q.heap) == 0 {
		return time.Time{}, false
	}
	return q.heap[0].deadline().at, true
}

// due takes out the next item whose deadline has come, or returns nil.
func (q *timers) due(now time.Time) timed {
	if at, ok := q.next(); !ok || at.After(now) {
		return nil
	}
	return heap.Pop(q).(timed)
}

// earlier ignores a zero time.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
