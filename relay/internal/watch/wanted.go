package watch

import (
	"sync"
	"sync/atomic"

	"assimilation/relay/internal/ring"
	"assimilation/tenancy"
)

// wanted are the hosts of which a sign of life is worth telling. Each is told
// once: then the owner has to want it again, so that a host that says much costs
// little.
type wanted struct {
	any   atomic.Int64
	mu    sync.Mutex
	hosts map[ring.ID]struct{}
}

// Wanted is for the sessions' table, which asks it for every datagram.
func (w *Watch) Wanted(id tenancy.HostID) bool {
	return w.wanted.any.Load() > 0 && w.wanted.clear(ring.ID(id.UUID))
}

func (s *wanted) set(id ring.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hosts == nil {
		s.hosts = map[ring.ID]struct{}{}
	}
	s.hosts[id] = struct{}{}
	s.any.Store(int64(len(s.hosts)))
}

func (s *wanted) clear(id ring.ID) (was bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, was = s.hosts[id]
	delete(s.hosts, id)
	s.any.Store(int64(len(s.hosts)))
	return was
}
