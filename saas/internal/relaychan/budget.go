package relaychan

import (
	"io"
	"sync"

	"assimilation/wire"
)

// budget bounds the bytes that requests hold at a time, in all and for each K:
// what is in flight for one must not be all that there is.
type budget[K comparable] struct {
	total, each int64

	mu   sync.Mutex
	held int64
	of   map[K]int64
}

func newBudget[K comparable](total, each int64) *budget[K] {
	return &budget[K]{total: total, each: each, of: map[K]int64{}}
}

// charge counts bytes for key, or reports that there is no room for them. What
// was charged is given back by release.
func (b *budget[K]) charge(key K, bytes int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held+bytes > b.total || b.of[key]+bytes > b.each {
		return false
	}
	b.held += bytes
	b.of[key] += bytes
	return true
}

func (b *budget[K]) release(key K, bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held -= bytes
	if b.of[key] -= bytes; b.of[key] == 0 {
		delete(b.of, key)
	}
}

// readStep is how much of a body is read between two looks at the budget.
const readStep = 64 << 10

// read reads a body that nobody vouches for yet. Only what has come counts, so
// that a mere announcement keeps nobody out. The caller calls release.
func (c *Channel) read(body io.Reader) (envelope []byte, release func(), err error) {
	charged := int64(0)
	release = func() { c.bodies.release(struct{}{}, charged) }
	for err == nil {
		if int64(len(envelope)) == charged {
			if !c.bodies.charge(struct{}{}, readStep) {
				return nil, release, &wire.Error{Reason: wire.Busy, What: "too many bodies of requests at once"}
			}
			charged += readStep
			envelope = append(envelope, make([]byte, readStep)...)[:len(envelope)]
		}
		var n int
		n, err = body.Read(envelope[len(envelope):charged])
		envelope = envelope[:len(envelope)+n]
	}
	if err == io.EOF {
		err = nil
	}
	return envelope, release, err
}
