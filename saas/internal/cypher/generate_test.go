package cypher

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"assimilation/saas/internal/cypher/compile"
	"assimilation/saas/internal/cypher/syntax"
	"assimilation/tenancy/store"
)

var (
	generate     = flag.Uint64("generate", 600, "how many questions TestGeneratedQuestions asks")
	generateFrom = flag.Uint64("generate-from", 0, "how many of them to leave out, because they were asked before")
	generateSeed = flag.Uint64("generate-seed", 1, "their seed")
)

const (
	chunk        = 100    // questions in one transaction
	report       = 25_000 // questions between two words about how far it is
	generateRows = 50     // of an answer
)

var generateParameters = map[string]any{"p": "host1", "n": int64(2), "l": []any{"a", int64(1), nil}}

// Whatever is asked: no panic, no backend that dies, no error that is not in our
// words, no answer that is too large, and no value of the other tenant.
//
// Each question is read, checked, compiled and run, as the tenant's reader and
// within its limits, one of ten of the graph as it was. So that a million of them end, a hundred share a transaction
// and are sent without waiting for answers; one of each hundred goes the
// service's own way too, and must be answered alike.
func TestGeneratedQuestions(t *testing.T) {
	w := makeWorld(t, 6, true)
	w.remember(t)
	before := w.fingerprint(t)
	run := &generated{world: w, t: t, start: time.Now(), sorts: map[string]int{}}
	run.past = run.start.Add(-time.Hour)
	run.next.Store(*generateFrom)
	var group sync.WaitGroup
	for range perTenant {
		group.Go(run.work)
	}
	group.Wait()
	asked := max(*generate, *generateFrom) - *generateFrom
	run.mu.Lock()
	defer run.mu.Unlock()
	if run.done != asked {
		t.Errorf("only %d of %d questions came to an end", run.done, asked)
	}
	t.Logf("%d questions of seed %d from %d on, %.0f/s: %d answered, %d of them with rows, %d rows", run.done, *generateSeed, *generateFrom,
		float64(run.done)/time.Since(run.start).Seconds(), run.answered, run.found, run.rows)
	for _, sort := range slices.SortedFunc(maps.Keys(run.sorts), func(a, b string) int { return run.sorts[b] - run.sorts[a] }) {
		t.Logf("%9d refused: %s", run.sorts[sort], sort)
	}
	if run.answered*2 < asked || run.found*4 < asked {
		t.Error("too few were answered or found something: the generator is out of tune")
	}
	if after := w.fingerprint(t); after != before {
		t.Errorf("the questions changed the graph or the server: %s, before %s", after, before)
	}
}

// generated is one run over many questions.
type generated struct {
	world
	t     *testing.T
	start time.Time
	past  time.Time // what is looked back to
	next  atomic.Uint64

	mu                              sync.Mutex
	done                            uint64
	sorts                           map[string]int // of refusals
	answered, found, rows, reported uint64
}

// made is one question, and what became of it.
type made struct {
	seed      uint64
	question  Question
	statement compile.Statement
	rows      int
	refused   string // the sort of refusal; "": it was answered
}

func (g *generated) work() {
	for !g.t.Failed() {
		first := g.next.Add(chunk) - chunk
		if first >= *generate {
			return
		}
		questions := make([]*made, 0, chunk)
		for i := first; i < min(first+chunk, *generate); i++ {
			questions = append(questions, g.make(*generateSeed<<32|i))
		}
		if err := g.ask(questions); err != nil {
			g.t.Errorf("questions %d to %d of seed %d: %v", first, first+chunk-1, *generateSeed, err)
			return
		}
		g.compare(questions[0])
		g.count(questions)
	}
}

// make writes a question and its SQL.
func (g *generated) make(seed uint64) *made {
	text := strings.ReplaceAll(newGenerator(seed).question(), otherGraph, store.Graph(g.other))
	m := &made{seed: seed, question: Question{Text: text, Parameters: generateParameters, Limit: generateRows}}
	if seed%10 == 0 {
		m.question.AsOf = g.past
	}
	var err error
	m.statement, _, err = prepareAsOf(m.question, g.own)
	if _, ok := errors.AsType[*syntax.Problem](err); ok {
		m.refused = "before it was run: its meaning"
		if _, err := syntax.Parse(text); err != nil {
			m.refused = "before it was run: its text"
		}
	} else if err != nil {
		g.blame(m, "is an error without a place: %v", err)
	}
	return m
}

func (g *generated) blame(m *made, format string, args ...any) {
	g.t.Errorf("seed %d: %s\n%s", m.seed, m.question.Text, fmt.Sprintf(format, args...))
}

// compare asks a question as people do.
func (g *generated) compare(m *made) {
	answer, err := g.Ask(g.t.Context(), g.own, m.question)
	_, isProblem := errors.AsType[*syntax.Problem](err)
	_, isRefused := errors.AsType[*Refused](err)
	switch {
	case err != nil && !isProblem && !isRefused:
		g.blame(m, "fails: %v", err)
	case (err == nil) != (m.refused == ""):
		g.blame(m, "%q in a row with others, alone %v", m.refused, err)
	case err == nil && len(answer.Items) != min(m.rows, generateRows):
		g.blame(m, "has %d rows in a row with others, alone %d", m.rows, len(answer.Items))
	}
}

func (g *generated) count(questions []*made) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, m := range questions {
		g.done++
		if m.refused != "" {
			g.sorts[m.refused]++
			continue
		}
		g.answered++
		g.rows += uint64(m.rows)
		if m.rows > 0 {
			g.found++
		}
	}
	if g.done/report > g.reported {
		g.reported = g.done / report
		g.t.Logf("%d done, %.0f/s; all below %d have been asked", g.done, float64(g.done)/time.Since(g.start).Seconds(), g.next.Load()-perTenant*chunk)
	}
}
