package loadtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"assimilation/wire"
	"assimilation/wire/link"
)

// Counts is what the probes have done so far.
type Counts struct {
	Announces, Handshakes, Cookies atomic.Int64
	Enrolled                       atomic.Int64 // probes
	Facts                          atomic.Int64 // acknowledged as durable
	Durable                        atomic.Int64 // probes of which all facts are
	Lost                           atomic.Int64 // sessions
	Beats, Reports                 atomic.Int64 // sent

	mu      sync.Mutex
	refused map[wire.Reason]int
	links   link.Stats // of sessions that are over
}

func (c *Counts) refuse(reason wire.Reason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refused == nil {
		c.refused = map[wire.Reason]int{}
	}
	c.refused[reason]++
}

func (c *Counts) addLink(s link.Stats) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.links.Sent += s.Sent
	c.links.Received += s.Received
	c.links.BytesSent += s.BytesSent
	c.links.BytesReceived += s.BytesReceived
	c.links.Retransmitted += s.Retransmitted
	c.links.Duplicates += s.Duplicates
}

// Refused lists the refusals by reason.
func (c *Counts) Refused() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var parts []string
	for _, reason := range slices.Sorted(maps.Keys(c.refused)) {
		parts = append(parts, fmt.Sprintf("%s %d", reason, c.refused[reason]))
	}
	if parts == nil {
		return "none"
	}
	return strings.Join(parts, ", ")
}
