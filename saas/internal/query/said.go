package query

import (
	"context"
	"encoding/hex"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Say tells in words what became of facts: of these kinds, with these hashes of
// their bodies, and those before; nil where there is or was none.
type Say func(ctx context.Context, tx pgx.Tx, kinds []string, hashes, previous [][]byte) ([]string, error)

// finish puts words where the SQL named steps. What is not a step is words
// already.
func (s *Service) finish(ctx context.Context, tx pgx.Tx, q *Query, items []map[string]any) error {
	for _, c := range q.Columns {
		if c.made != step || s.Say == nil {
			continue
		}
		var kinds []string
		var hashes, previous [][]byte
		var of []map[string]any
		for _, item := range items {
			text, _ := item[c.Name].(string)
			if kind, hash, before, ok := readStep(text); ok {
				kinds, hashes, previous, of = append(kinds, kind), append(hashes, hash), append(previous, before), append(of, item)
			}
		}
		said, err := s.Say(ctx, tx, kinds, hashes, previous)
		if err != nil {
			return err
		}
		for i, item := range of {
			item[c.Name] = said[i]
		}
	}
	return nil
}

// readStep reads "step kind hash previous"; a dash is no body.
func readStep(text string) (kind string, hash, previous []byte, ok bool) {
	parts := strings.Fields(text)
	if len(parts) != 4 || parts[0] != "step" {
		return "", nil, nil, false
	}
	ok = true
	body := func(text string) []byte {
		if text == "-" {
			return nil
		}
		hash, err := hex.DecodeString(text)
		ok = ok && err == nil
		return hash
	}
	hash, previous = body(parts[2]), body(parts[3])
	return parts[1], hash, previous, ok
}
