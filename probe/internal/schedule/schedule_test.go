package schedule_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"assimilation/discovery"
	"assimilation/probe/internal/schedule"
)

// fake is a collector that does what a test wants.
type fake struct {
	kind    discovery.Kind
	collect func(context.Context) ([]discovery.Fact, error)
}

func (f *fake) Kind() discovery.Kind { return f.kind }
func (f *fake) Collect(ctx context.Context) ([]discovery.Fact, error) {
	return f.collect(ctx)
}

// watching is a fake that the kernel talks to.
type watching struct {
	fake
	events chan struct{}
	broken int // so often it fails
}

func (w *watching) Watch(ctx context.Context, changed func()) error {
	if w.broken > 0 {
		w.broken--
		return errors.New("no netlink here")
	}
	for {
		select {
		case <-w.events:
			changed()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// recorder notes outcomes by time since the start.
type recorder struct {
	mu    sync.Mutex
	began time.Time
	lines []string
	at    []time.Duration
}

func (r *recorder) note(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line)
	r.at = append(r.at, time.Since(r.began))
}

func (r *recorder) Record(k discovery.Kind, _ []discovery.Fact, err error, _ time.Time) {
	if err != nil {
		r.note(k.Name + ": " + err.Error())
		return
	}
	r.note(k.Name)
}

func (r *recorder) Drop(k discovery.Kind) { r.note("drop " + k.Name) }

func (r *recorder) all() (string, []time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.lines, ", "), append([]time.Duration(nil), r.at...)
}

// during runs a schedule for a time and returns what it recorded.
func during(t *testing.T, d time.Duration, collectors []discovery.Collector, meanwhile func(*schedule.Schedule)) (string, []time.Duration, string) {
	t.Helper()
	r := &recorder{began: time.Now()}
	var log bytes.Buffer
	s := schedule.New(collectors, r, slog.New(slog.NewTextHandler(&log, nil)), func() { r.note("settled") })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	timer := time.NewTimer(d)
	if meanwhile != nil {
		meanwhile(s)
	}
	<-timer.C
	cancel()
	<-done
	lines, at := r.all()
	return lines, at, log.String()
}

func kind(name string, interval time.Duration) discovery.Kind {
	return discovery.Kind{Name: name, Version: 1, Interval: interval, Timeout: 10 * time.Second}
}

func quick(name string, interval time.Duration) *fake {
	return &fake{kind(name, interval), func(context.Context) ([]discovery.Fact, error) { return nil, nil }}
}

func TestAllOnceThenByInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lines, at, _ := during(t, 150*time.Second, []discovery.Collector{quick("a", time.Minute), quick("b", time.Hour)}, nil)
		if lines != "a, b, settled, a, a" {
			t.Fatal(lines)
		}
		for i, want := range map[int]time.Duration{3: time.Minute, 4: 2 * time.Minute} {
			if off := (at[i] - want).Abs(); off > want/10 {
				t.Errorf("collection %d at %v, want within 10 %% of %v", i, at[i], want)
			}
		}
	})
}

func TestNeverTwoAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		running := 0
		var all []discovery.Collector
		for i := range 5 {
			all = append(all, &fake{kind(fmt.Sprint(i), time.Second), func(context.Context) ([]discovery.Fact, error) {
				mu.Lock()
				running++
				if running > 1 {
					t.Error("two at a time")
				}
				mu.Unlock()
				time.Sleep(100 * time.Millisecond)
				mu.Lock()
				running--
				mu.Unlock()
				return nil, nil
			}})
		}
		during(t, time.Minute, all, nil)
	})
}

func TestEventsAreDebounced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &watching{fake: *quick("a", time.Hour), events: make(chan struct{})}
		lines, at, _ := during(t, time.Minute, []discovery.Collector{w}, func(*schedule.Schedule) {
			time.Sleep(10 * time.Second)
			for range 5 {
				w.events <- struct{}{}
				time.Sleep(10 * time.Millisecond)
			}
			time.Sleep(10 * time.Second)
			w.events <- struct{}{}
		})
		if lines != "a, settled, a, a" {
			t.Fatal(lines)
		}
		if late := at[2] - 10*time.Second; late < 300*time.Millisecond || late > 400*time.Millisecond {
			t.Errorf("%v after the first event", late)
		}
	})
}

// Events without end are looked at, but cost no more than a share of the CPU.
func TestEventStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &watching{fake: *quick("a", time.Hour), events: make(chan struct{})}
		busy := 0
		w.collect = func(context.Context) ([]discovery.Fact, error) {
			busy++
			time.Sleep(200 * time.Millisecond)
			return nil, nil
		}
		during(t, 10*time.Minute, []discovery.Collector{w}, func(*schedule.Schedule) {
			for range 5900 {
				time.Sleep(100 * time.Millisecond)
				w.events <- struct{}{}
			}
		})
		if share := float64(busy) * 0.2 / 600; share > 0.05 || busy < 90 {
			t.Errorf("%d collections in 10 minutes: %.1f %% of a CPU", busy, 100*share)
		}
	})
}

func TestCollectorThatMisbehaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		panics := &fake{kind("p", time.Minute), func(context.Context) ([]discovery.Fact, error) {
			var none []int
			return nil, fmt.Errorf("%d", none[3])
		}}
		hangs := &fake{kind("h", time.Minute), func(context.Context) ([]discovery.Fact, error) { <-release; return nil, nil }}
		lines, _, log := during(t, 200*time.Second, []discovery.Collector{panics, hangs, quick("c", time.Hour)}, func(*schedule.Schedule) {
			time.Sleep(100 * time.Second)
			close(release)
		})
		for _, want := range []string{
			"p: panic: runtime error: index out of range [3] with length 0",
			"h: collection of h did not end within 10s, c, settled", "h, "} {
			if !strings.Contains(lines, want) {
				t.Errorf("no %q in %s", want, lines)
			}
		}
		if strings.Count(log, "collector panicked") != 1 {
			t.Errorf("panic is to be logged once: %s", log)
		}
	})
}

func TestWatchThatFailsLeavesTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &watching{fake: *quick("a", time.Minute), broken: 2, events: make(chan struct{})}
		lines, _, log := during(t, 3*time.Minute, []discovery.Collector{w}, func(*schedule.Schedule) {
			time.Sleep(140 * time.Second)
			w.events <- struct{}{} // the third watch works
		})
		if lines != "a, settled, a, a, a" || strings.Count(log, "no netlink here") != 1 {
			t.Errorf("%s; %s", lines, log)
		}
	})
}

func TestAllow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lines, _, _ := during(t, 5*time.Minute, []discovery.Collector{quick("a", time.Hour), quick("b", time.Hour)}, func(s *schedule.Schedule) {
			time.Sleep(time.Minute)
			s.Allow([]string{"a"})
			time.Sleep(time.Minute)
			s.Allow(nil)
		})
		if lines != "a, b, settled, drop b, b" {
			t.Error(lines)
		}
	})
}

// A relay that switches a kind off and on without end costs no more than events
// do.
func TestAllowStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := 0
		slow := quick("a", time.Hour)
		slow.collect = func(context.Context) ([]discovery.Fact, error) {
			busy++
			time.Sleep(200 * time.Millisecond)
			return nil, nil
		}
		during(t, 10*time.Minute, []discovery.Collector{slow, quick("b", time.Hour)}, func(s *schedule.Schedule) {
			for range 2900 {
				time.Sleep(100 * time.Millisecond)
				s.Allow([]string{"b"})
				time.Sleep(100 * time.Millisecond)
				s.Allow(nil)
			}
		})
		if share := float64(busy) * 0.2 / 600; share > 0.05 {
			t.Errorf("%d collections in 10 minutes: %.1f %% of a CPU", busy, 100*share)
		}
	})
}

// follower is a fake that notes what it was told.
type follower struct {
	fake
	told []string
}

func (f *follower) Follow(kind string, facts []discovery.Fact) {
	for _, fact := range facts {
		f.told = append(f.told, kind+" "+fact.Instance)
	}
}

// A kind that comes after another is collected when that one changed, and only
// then, and is told what it found.
func TestAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rounds := 0
		first := &fake{kind("a", time.Minute), func(context.Context) ([]discovery.Fact, error) {
			rounds++
			instance := "one"
			if rounds >= 4 {
				instance = "two"
			}
			if rounds == 3 {
				return nil, errors.New("not now")
			}
			return []discovery.Fact{{Kind: "a", Instance: instance}}, nil
		}}
		second := &follower{fake: *quick("b", 24*time.Hour)}
		second.kind.After = []string{"a"}
		lines, _, _ := during(t, 210*time.Second, []discovery.Collector{first, second}, nil)
		if lines != "a, b, settled, a, a: not now, a, b" {
			t.Error(lines)
		}
		if got := strings.Join(second.told, ", "); got != "a one, a two" {
			t.Error(got)
		}
	})
}

// A collector that is not through is asked again after its rest.
func TestUnfinished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left := 3
		slow := quick("a", time.Hour)
		slow.collect = func(context.Context) ([]discovery.Fact, error) {
			time.Sleep(100 * time.Millisecond)
			if left--; left > 0 {
				return nil, discovery.ErrUnfinished
			}
			return []discovery.Fact{{Kind: "a"}}, nil
		}
		lines, at, _ := during(t, time.Minute, []discovery.Collector{slow}, nil)
		if want := "a: not everything was read yet, settled, a: not everything was read yet, a"; lines != want {
			t.Fatal(lines)
		}
		if pause := at[3] - at[2]; pause < 2*time.Second {
			t.Errorf("asked again after %v", pause)
		}
		left = 3
		schedule.Once(t.Context(), []discovery.Collector{slow}, func(_ discovery.Kind, facts []discovery.Fact, err error) {
			if len(facts) != 1 || err != nil {
				t.Errorf("%d facts, %v", len(facts), err)
			}
		})
	})
}
