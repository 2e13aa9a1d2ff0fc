package ledger_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"assimilation/discovery"
	"assimilation/probe/internal/ledger"
	"assimilation/wire"
)

var (
	kind  = discovery.Kind{Name: "a", Version: 1}
	start = time.Unix(1_800_000_000, 0)
)

func fact(t *testing.T, instance, text string) discovery.Fact {
	t.Helper()
	f, err := discovery.NewFact(kind, instance, map[string]string{"text": text})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func held(l *ledger.Ledger) string {
	view := l.View()
	return fmt.Sprintf("%d facts %d problems complete=%v", len(view.Facts), len(view.Problems), view.Kinds)
}

// What a failed look does not see is not gone; what a degraded one sees counts.
func TestRecord(t *testing.T) {
	lacks := &discovery.Degraded{Needs: discovery.SysPtrace, What: "x"}
	big := &discovery.Invalid{Kind: "a", Instance: "big", Why: "too large", TooLarge: true}
	one, two := fact(t, "", "one"), fact(t, "x", "two")
	for _, c := range []struct {
		name  string
		facts []discovery.Fact
		err   error
		want  string
	}{
		{"all is well", []discovery.Fact{one}, nil, "1 facts 0 problems complete=[a]"},
		{"nothing there", nil, nil, "0 facts 0 problems complete=[a]"},
		{"failed", nil, errors.New("disk on fire"), "2 facts 1 problems complete=[a]"},
		{"failed in the middle", []discovery.Fact{one}, errors.New("disk on fire"), "2 facts 1 problems complete=[a]"},
		{"failed and degraded", []discovery.Fact{one}, errors.Join(lacks, errors.New("disk on fire")), "2 facts 1 problems complete=[a]"},
		{"degraded", []discovery.Fact{one}, lacks, "1 facts 1 problems complete=[a]"},
		{"degraded to nothing", nil, lacks, "2 facts 1 problems complete=[a]"},
		{"not yet", nil, discovery.ErrNotYet, "2 facts 0 problems complete=[a]"},
		{"one too large", []discovery.Fact{one}, errors.Join(big, lacks), "1 facts 2 problems complete=[a]"},
		{"twice the same instance", []discovery.Fact{one, one}, nil, "1 facts 1 problems complete=[a]"},
		{"another kind's", []discovery.Fact{one, {Kind: "b"}}, nil, "1 facts 1 problems complete=[a]"},
		{"hash does not match", []discovery.Fact{one, {Kind: "a", Instance: "y", Version: 1, Body: []byte("{}")}}, nil, "1 facts 1 problems complete=[a]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := ledger.New()
			l.Record(kind, []discovery.Fact{one, two}, nil, start)
			l.Record(kind, c.facts, c.err, start)
			if got := held(l); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			l.Record(kind, []discovery.Fact{one, two}, nil, start)
			if got := held(l); got != "2 facts 0 problems complete=[a]" {
				t.Errorf("after it was cured: %s", got)
			}
		})
	}
}

func TestFirstCollectionThatFailsIsNotComplete(t *testing.T) {
	l := ledger.New()
	l.Record(kind, nil, errors.New("disk on fire"), start)
	if got := held(l); got != "0 facts 1 problems complete=[]" {
		t.Error(got)
	}
	l.Record(kind, nil, discovery.ErrNotYet, start)
	if got := held(l); got != "0 facts 0 problems complete=[]" {
		t.Error(got)
	}
}

func TestTooManyInstances(t *testing.T) {
	l := ledger.New()
	var facts []discovery.Fact
	for i := range discovery.MaxInstances + 1 {
		facts = append(facts, fact(t, fmt.Sprint(i), "x"))
	}
	l.Record(kind, facts, nil, start)
	if got := held(l); got != "1024 facts 1 problems complete=[a]" {
		t.Error(got)
	}
}

func TestChangedOnlyByContent(t *testing.T) {
	l := ledger.New()
	changed := func() bool {
		select {
		case <-l.Changed():
			return true
		default:
			return false
		}
	}
	l.Record(kind, []discovery.Fact{fact(t, "", "one")}, nil, start)
	if !changed() {
		t.Error("first fact is no change")
	}
	l.Record(kind, []discovery.Fact{fact(t, "", "one")}, nil, start.Add(time.Hour))
	if changed() {
		t.Error("the same content is a change")
	}
	if at := l.View().Facts[ledger.Key{Kind: "a"}].ObservedAt; at != start {
		t.Errorf("observed at %v, want when the content was first seen", at)
	}
	l.Record(kind, nil, nil, start)
	if !changed() {
		t.Error("a fact that is gone is no change")
	}
}

func TestRefuse(t *testing.T) {
	l, key := ledger.New(), ledger.Key{Kind: "a"}
	one := fact(t, "", "one")
	l.Record(kind, []discovery.Fact{one}, nil, start)
	l.Refuse(key, one.Hash)
	if !l.View().Refused(key) {
		t.Error("offered again without a change")
	}
	l.Record(kind, []discovery.Fact{fact(t, "", "two")}, nil, start)
	if l.View().Refused(key) {
		t.Error("the changed content is held back")
	}
	l.Refuse(key, one.Hash) // late: about a content that is no longer held
	if l.View().Refused(key) {
		t.Error("a late refusal hit the new content")
	}
}

func TestProblemTextIsBounded(t *testing.T) {
	l := ledger.New()
	l.Record(kind, nil, errors.New("\x00bad\n"+strings.Repeat("ü", 4000)), start)
	p := l.View().Problems[ledger.Key{Kind: "a"}]
	if len(p.Detail) > wire.MaxDetail || strings.ContainsAny(p.Detail, "\x00\n") || p.Reason != wire.CollectFailed {
		t.Errorf("%v: %d bytes", p.Reason, len(p.Detail))
	}
}
