package schedule

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"assimilation/discovery"
)

// outcome is what one collection returned.
type outcome struct {
	facts []discovery.Fact
	err   error
}

// collect runs one collection and records it. A collector that does not end
// when told to is left alone, and not asked again before it has returned.
func (s *Schedule) collect(ctx context.Context, j *job) {
	began := time.Now()
	j.early = time.Time{}
	if j.busy == nil {
		j.busy = start(ctx, j.collector, j.kind.Timeout)
	}
	result, ended := j.await(ctx)
	if ctx.Err() != nil {
		return
	}
	now := time.Now()
	if !ended {
		j.due, j.rest = now.Add(hangRetry), now.Add(hangRetry)
		s.recorder.Record(j.kind, nil, j.hung(), now)
		return
	}
	j.busy = nil
	took := now.Sub(began)
	j.rest = now.Add(max(minRest, restFactor*took))
	j.due = now.Add(max(jittered(j.kind.Interval), restFactor*took))
	if errors.Is(result.err, discovery.ErrUnfinished) {
		j.due = j.rest
	}
	s.recorder.Record(j.kind, result.facts, result.err, now)
	if family, ok := j.collector.(discovery.Family); ok {
		s.members.become(family.Members())
	}
	if result.err == nil || len(result.facts) > 0 {
		follow(s.jobs, j, result.facts, now)
	}
	if p, ok := errors.AsType[*panicked](result.err); ok && p.Error() != j.panicked {
		j.panicked = p.Error()
		s.log.Error("collector panicked", "kind", j.kind.Name, "panic", p.value, "stack", p.stack)
	}
	s.log.Debug("collected", "kind", j.kind.Name, "facts", len(result.facts), "took", took, "error", result.err)
}

func (j *job) hung() error {
	return fmt.Errorf("collection of %s did not end within %v", j.kind.Name, j.kind.Timeout)
}

// await gives the collector its timeout and a little more to notice it.
func (j *job) await(ctx context.Context) (outcome, bool) {
	limit := time.NewTimer(j.kind.Timeout + j.kind.Timeout/4)
	defer limit.Stop()
	select {
	case r := <-j.busy:
		return r, true
	case <-limit.C:
		return outcome{}, false
	case <-ctx.Done():
		return outcome{}, false
	}
}

func start(ctx context.Context, c discovery.Collector, timeout time.Duration) chan outcome {
	done := make(chan outcome, 1)
	go func() {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		var r outcome
		r.err = guarded(func() (err error) {
			r.facts, err = c.Collect(ctx)
			return err
		})
		done <- r
	}()
	return done
}

// Once runs every collector one time, in order, those that keep to a budget
// until they are through, and hands over what each returned: what
// `assim-probe facts` prints.
func Once(ctx context.Context, collectors []discovery.Collector, report func(discovery.Kind, []discovery.Fact, error)) {
	jobs := make([]*job, len(collectors))
	for i, c := range collectors {
		jobs[i] = &job{collector: c, kind: c.Kind()}
	}
	for _, j := range jobs {
		r := outcome{err: discovery.ErrUnfinished}
		for errors.Is(r.err, discovery.ErrUnfinished) && ctx.Err() == nil {
			j.busy = start(ctx, j.collector, j.kind.Timeout)
			var ended bool
			if r, ended = j.await(ctx); !ended {
				r.err = j.hung()
			}
		}
		follow(jobs, j, r.facts, time.Now())
		report(j.kind, r.facts, r.err)
	}
}

// panicked is the error of a collector that panicked. Its text has no
// addresses or line numbers, so that the same fault is the same problem.
type panicked struct {
	value any
	stack string
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

func guarded(run func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &panicked{p, string(debug.Stack())}
		}
	}()
	return run()
}
