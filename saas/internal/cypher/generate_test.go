package cypher

import (
	"bytes"
	"context"
	"encoding/json"
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

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

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

// ask runs the questions that have SQL, each with a savepoint behind it.
func (g *generated) ask(questions []*made) error {
	return g.db.ReadBounded(g.t.Context(), g.own, memory(compile.Statement{}), func(tx pgx.Tx) error {
		if _, err := tx.Exec(g.t.Context(), "SAVEPOINT question"); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(g.t.Context(), chunk*10*time.Second) // each ends after 5
		defer cancel()
		pipeline := tx.Conn().PgConn().StartPipeline(ctx)
		defer pipeline.Close()
		for _, m := range questions {
			if m.refused != "" {
				continue
			}
			bounds := memory(m.statement)
			pipeline.SendQueryParams(fmt.Sprintf("SET LOCAL work_mem = %d", bounds.Sort>>10), nil, nil, nil, nil)
			pipeline.SendQueryParams(fmt.Sprintf("SET LOCAL cypher.most = %d", bounds.Value), nil, nil, nil, nil)
			pipeline.SendQueryParams(m.statement.SQL, values(m.statement.Args), nil, nil, nil)
			pipeline.SendPipelineSync()
			pipeline.SendQueryParams("ROLLBACK TO question", nil, nil, nil, nil)
			pipeline.SendPipelineSync()
		}
		if err := pipeline.Flush(); err != nil {
			return err
		}
		for _, m := range questions {
			if m.refused != "" {
				continue
			}
			if err := g.read(pipeline, m); err != nil {
				return fmt.Errorf("%s: %w", m.question.Text, err)
			}
			if err := finish(pipeline); err != nil {
				return fmt.Errorf("rolling back %s: %w", m.question.Text, err)
			}
		}
		return nil
	})
}

// values are arguments as Postgres reads them: each is cast where it is used.
func values(args []any) (all [][]byte) {
	for _, arg := range args {
		all = append(all, fmt.Append([]byte{}, arg))
	}
	return all
}

// read takes what is answered to a question, up to the end of its turn. What went
// wrong with a question is counted; an error is one of the connection.
func (g *generated) read(pipeline *pgconn.Pipeline, m *made) error {
	for {
		result, err := pipeline.GetResults()
		switch result := result.(type) {
		case *pgconn.PipelineSync:
			return nil
		case *pgconn.ResultReader:
			for result.NextRow() {
				g.look(m, result.Values())
			}
			_, err = result.Close()
		case nil:
			if err == nil {
				return errors.New("the answer has no end")
			}
		}
		if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
			if err := g.refuse(m, refused); err != nil {
				return err
			}
		} else if err != nil {
			return err
		}
	}
}

// look sees that a row is bounded, is JSON, and is nobody else's.
func (g *generated) look(m *made, row [][]byte) {
	m.rows++
	size := 0
	for _, value := range row[:len(row)-1] {
		size += len(value)
		if value != nil && !json.Valid(value) {
			g.blame(m, "answers with what is no JSON: %.200s", value)
		}
		if foreign(value) {
			g.blame(m, "answers with the other tenant's %.200s", value)
		}
	}
	if m.rows > generateRows+1 || size > compile.MaxRow {
		g.blame(m, "answers with row %d of %d bytes", m.rows, size)
	}
}

var reversed = func() []byte {
	b := []byte(canary)
	slices.Reverse(b)
	return b
}()

// foreign reports whether a value holds what only the other tenant has.
func foreign(value []byte) bool {
	lower := bytes.ToLower(value)
	return bytes.Contains(lower, []byte(canary)) || bytes.Contains(lower, reversed) || bytes.Contains(lower, []byte(fmt.Sprint(canaryNumber)))
}

// refuse counts an error of Postgres as what it is to who asked.
func (g *generated) refuse(m *made, err *pgconn.PgError) error {
	why := refusal(err)
	if why == nil {
		return fmt.Errorf("%s is nothing that a question is to blame for: %w", m.statement.SQL, err)
	}
	if foreign([]byte(err.Error())) {
		g.blame(m, "is refused with the other tenant's %s", err)
	}
	m.rows = 0
	m.refused = err.Code + " " + map[string]string{"CY001": "a value is of the wrong kind", "CY002": "a value grows too large"}[err.Code]
	if !strings.HasPrefix(err.Code, "CY") {
		m.refused += why.Error()
	}
	return nil
}

// finish takes the end of the rollback.
func finish(pipeline *pgconn.Pipeline) error {
	for {
		result, err := pipeline.GetResults()
		if err != nil {
			return err
		}
		switch result := result.(type) {
		case *pgconn.PipelineSync:
			return nil
		case *pgconn.ResultReader:
			if _, err := result.Close(); err != nil {
				return err
			}
		case nil:
			return errors.New("the rollback has no end")
		}
	}
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
