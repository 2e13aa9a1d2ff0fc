package cypher

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"assimilation/saas/internal/cypher/compile"
)

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
