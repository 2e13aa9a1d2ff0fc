package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"assimilation/tenancy"
	"assimilation/uplink"
)

// maxOver is how many verdicts that are over are kept.
const maxOver = 1000

// SaveVerdict keeps the newest of a verdict, makes of its hosts what it says if
// they are named by it for the first time, and records it.
func (tx *Tx) SaveVerdict(v uplink.VerdictBody, now int64) error {
	before, err := tx.verdict(v.ID)
	if err != nil {
		return err
	}
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("writing a verdict: %w", err)
	}
	err = tx.exec("INSERT INTO verdicts (id, at, over, body) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (id) DO UPDATE SET over = ?3, body = ?4",
		v.ID, v.At, v.Over, string(body))
	if err != nil {
		return fmt.Errorf("writing a verdict: %w", err)
	}
	if state, ok := v.Kind.HostState(); ok && v.Over == 0 {
		if err := tx.condemn(v.Hosts, before.Hosts, state, now); err != nil {
			return fmt.Errorf("noting the states of a verdict's hosts: %w", err)
		}
	}
	if v.Over != 0 {
		err := tx.exec(`DELETE FROM verdicts WHERE over > 0 AND over <= (SELECT over FROM verdicts WHERE over > 0
			ORDER BY over DESC, at DESC LIMIT 1 OFFSET ?)`, maxOver)
		if err != nil {
			return fmt.Errorf("forgetting old verdicts: %w", err)
		}
	}
	return tx.Append(uplink.Change{Type: uplink.Verdict, SeenAt: now, Verdict: &v})
}

// condemn sets the states of hosts that were not among those before. The verdict
// that says so is the record of it.
func (tx *Tx) condemn(hosts, before []tenancy.HostID, state uplink.State, now int64) error {
	known := make(map[tenancy.HostID]bool, len(before))
	for _, id := range before {
		known[id] = true
	}
	for _, id := range hosts {
		if known[id] {
			continue
		}
		err := tx.exec("UPDATE hosts SET state = ?1, state_at = ?2, doubt = iif(doubt = 1, 2, doubt) WHERE id = ?3 AND state <> ?1",
			string(state), now, id.UUID[:])
		if err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) verdict(id []byte) (v uplink.VerdictBody, err error) {
	var body string
	found, err := tx.row("SELECT body FROM verdicts WHERE id = ?", []any{id}, &body)
	if err == nil && found {
		err = json.Unmarshal([]byte(body), &v)
	}
	if err != nil {
		return uplink.VerdictBody{}, fmt.Errorf("reading a verdict: %w", err)
	}
	return v, nil
}

// tellVerdicts records again those that stand.
func (tx *Tx) tellVerdicts(now int64) error {
	var open []uplink.VerdictBody
	err := tx.each("SELECT body FROM verdicts WHERE over = 0 ORDER BY at", nil, func(rows *sql.Rows) (err error) {
		open, err = appendVerdict(open, rows)
		return err
	})
	for i := 0; err == nil && i < len(open); i++ {
		err = tx.Append(uplink.Change{Type: uplink.Verdict, SeenAt: now, Verdict: &open[i]})
	}
	if err != nil {
		return fmt.Errorf("telling verdicts anew: %w", err)
	}
	return nil
}

// OpenVerdicts reads those that stand, the oldest first.
func (s *Store) OpenVerdicts(ctx context.Context) ([]uplink.VerdictBody, error) {
	return s.verdicts(ctx, "SELECT body FROM verdicts WHERE over = 0 ORDER BY at")
}

// Verdicts reads the newest, those that stand before those that are over.
func (s *Store) Verdicts(ctx context.Context, limit int) ([]uplink.VerdictBody, error) {
	return s.verdicts(ctx, "SELECT body FROM verdicts ORDER BY over > 0, at DESC LIMIT ?", limit)
}

func (s *Store) verdicts(ctx context.Context, query string, args ...any) (list []uplink.VerdictBody, err error) {
	rows, err := s.readers.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("reading verdicts: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		if list, err = appendVerdict(list, rows); err != nil {
			return nil, fmt.Errorf("reading verdicts: %w", err)
		}
	}
	return list, rows.Err()
}

func appendVerdict(list []uplink.VerdictBody, rows *sql.Rows) ([]uplink.VerdictBody, error) {
	var body string
	if err := rows.Scan(&body); err != nil {
		return nil, err
	}
	var v uplink.VerdictBody
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		return nil, err
	}
	return append(list, v), nil
}
