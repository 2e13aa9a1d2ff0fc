package verdict

import (
	"container/heap"
	"time"
)

// alarm is something that is to be looked at when its time has come.
type alarm struct {
	at    time.Time
	index int // in the heap, from 1; 0: not set
	ring  func(now time.Time)
}

// alarms is a heap of those that are set, the earliest first.
type alarms []*alarm

func (a alarms) Len() int           { return len(a) }
func (a alarms) Less(i, j int) bool { return a[i].at.Before(a[j].at) }
func (a alarms) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].index, a[j].index = i+1, j+1
}

// Push is for container/heap.
func (a *alarms) Push(x any) {
	*a = append(*a, x.(*alarm))
	x.(*alarm).index = len(*a)
}

// Pop is for container/heap.
func (a *alarms) Pop() any {
	last := len(*a) - 1
	x := (*a)[last]
	(*a)[last] = nil
	*a, x.index = (*a)[:last], 0
	return x
}

func (a *alarms) set(x *alarm, at time.Time) {
	if x.at = at; x.index != 0 {
		heap.Fix(a, x.index-1)
		return
	}
	heap.Push(a, x)
}

func (a *alarms) unset(x *alarm) {
	if x.index != 0 {
		heap.Remove(a, x.index-1)
	}
}

// next takes the earliest that is due; nil: none is.
func (a *alarms) next(now time.Time) *alarm {
	if len(*a) == 0 || (*a)[0].at.After(now) {
		return nil
	}
	return heap.Pop(a).(*alarm)
}
