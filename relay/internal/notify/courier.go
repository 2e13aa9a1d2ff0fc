package notify

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// The patience of a courier; the package comment tells it in words.
const (
	firstPause = time.Second
	lastPause  = time.Minute
	patience   = time.Hour
	queueSize  = 256
)

// courier takes messages through one channel, in order.
type courier struct {
	name       string
	channel    channel
	log        *slog.Logger
	firstPause time.Duration
	wake       chan struct{} // a message came

	mu      sync.Mutex
	waiting []*message
	count   Count
}

func newCourier(name string, c channel, log *slog.Logger) *courier {
	return &courier{name: name, channel: c, log: log.With("channel", name), firstPause: firstPause, wake: make(chan struct{}, 1)}
}

func (c *courier) queue(m *message) {
	c.mu.Lock()
	if len(c.waiting) == queueSize {
		c.waiting = c.waiting[1:]
		c.count.Lost++
	}
	c.waiting = append(c.waiting, m)
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *courier) run(ctx context.Context) {
	for ctx.Err() == nil {
		if m := c.next(); m != nil {
			c.deliver(ctx, m)
			continue
		}
		select {
		case <-ctx.Done():
		case <-c.wake:
		}
	}
	if waiting := c.counts().Waiting; waiting > 0 {
		c.log.Warn("notifications were not told before the end", "waiting", waiting)
	}
}

// next takes the oldest.
func (c *courier) next() *message {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) == 0 {
		return nil
	}
	m := c.waiting[0]
	c.waiting = c.waiting[1:]
	return m
}

// deliver tells one message, again until that succeeds or is of no use.
func (c *courier) deliver(ctx context.Context, m *message) {
	pause, start := c.firstPause, time.Now()
	for attempt := 1; ; attempt++ {
		err := c.channel.tell(ctx, m)
		if err == nil {
			c.add(Count{Told: 1})
			c.log.Debug("notified", "key", m.key, "attempt", attempt)
			return
		}
		if ctx.Err() != nil {
			c.log.Warn("a notification was not told before the end", "key", m.key)
			return
		}
		c.add(Count{Failed: 1})
		_, useless := errors.AsType[final](err)
		if useless || time.Since(start)+pause > patience {
			c.add(Count{Lost: 1})
			c.log.Error("a notification is given up", "key", m.key, "attempts", attempt, "error", err)
			return
		}
		if attempt == 1 {
			c.log.Warn("notifying, will be tried again", "key", m.key, "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, lastPause)
	}
}

func (c *courier) add(more Count) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count.Told += more.Told
	c.count.Failed += more.Failed
	c.count.Lost += more.Lost
}

func (c *courier) counts() Count {
	c.mu.Lock()
	defer c.mu.Unlock()
	count := c.count
	count.Channel, count.Waiting = c.name, len(c.waiting)
	return count
}
