package schedule_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"assimilation/discovery"
	"assimilation/probe/internal/schedule"
)

// household is a family whose members a test changes.
type household struct {
	fake
	mu      sync.Mutex
	members []discovery.Collector
}

func (h *household) Members() []discovery.Collector {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.members
}

func (h *household) become(members ...discovery.Collector) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.members = members
}

func TestMembersOfAFamilyComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nothing := func(context.Context) ([]discovery.Fact, error) { return nil, nil }
		member := func(name string, collect func(context.Context) ([]discovery.Fact, error)) *fake {
			return &fake{discovery.Kind{Name: name, Interval: 10 * time.Minute, Timeout: 5 * time.Minute}, collect}
		}
		slow := member("x-slow", func(context.Context) ([]discovery.Fact, error) {
			time.Sleep(2 * time.Minute)
			return nil, nil
		})
		first, second := member("x-a", nothing), member("x-a", nothing)
		family := &household{fake: fake{discovery.Kind{Name: "family", Interval: time.Minute, Timeout: time.Second}, nothing}, members: []discovery.Collector{slow, first}}
		other := &fake{discovery.Kind{Name: "other", Interval: time.Minute, Timeout: time.Second}, nothing}
		notes := &recorder{began: time.Now()}
		s := schedule.New([]discovery.Collector{family, other}, notes, slog.New(slog.DiscardHandler), func() {})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { s.Run(ctx); close(done) }()

		time.Sleep(90 * time.Second) // a slow member keeps none of the others waiting
		synctest.Wait()
		if lines, _ := notes.all(); lines != "family, other, family, other" && lines != "family, other, other, family" {
			t.Errorf("while a member is slow: %s", lines)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if lines, _ := notes.all(); strings.Count(lines, "x-slow") != 1 || strings.Count(lines, "x-a") != 1 {
			t.Errorf("after that: %s", lines)
		}
		family.become(second) // edited; slow was removed
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if lines, _ := notes.all(); strings.Count(lines, "x-a") != 2 || strings.Count(lines, "drop x-slow") != 1 || strings.Contains(lines, "drop x-a") {
			t.Errorf("after an edit and a removal: %s", lines)
		}
		s.Allow([]string{"family", "other"})
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if lines, _ := notes.all(); strings.Count(lines, "drop x-a") != 1 {
			t.Errorf("after the kind was switched off: %s", lines)
		}
		family.become(member("x-b", nothing))
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if lines, _ := notes.all(); strings.Contains(lines, "x-b") {
			t.Errorf("a member that is not allowed was collected: %s", lines)
		}
		cancel()
		<-done
	})
}
