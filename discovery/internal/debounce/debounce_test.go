package debounce

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := New(200*time.Millisecond, 2*time.Second)
		start := time.Now()
		var calls []time.Duration
		done := make(chan struct{})
		go func() {
			defer close(done)
			c.Run(ctx, func() { calls = append(calls, time.Since(start)) })
		}()
		// One event, then a burst every 100 ms from second 1 to 5.
		c.Event()
		time.Sleep(time.Second)
		for range 40 {
			c.Event()
			c.Event()
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(time.Second)
		cancel()
		<-done
		if len(calls) != 3 || calls[0] != 200*time.Millisecond || calls[1] != 3*time.Second {
			t.Errorf("called at %v", calls)
		}
		if last := calls[len(calls)-1]; last > 5*time.Second+200*time.Millisecond {
			t.Errorf("the last call is at %v", last)
		}
		c.Event() // after the end: never blocks
		c.Event()
	})
}
