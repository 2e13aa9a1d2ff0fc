package store

import (
	"database/sql"
	"fmt"

	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

// maxProblems bounds what one host can have standing; more are not kept.
const maxProblems = 256

// Who noticed a problem.
const (
	ByRelay  = "relay"  // the relay refused a fact
	ByProbe  = "probe"  // the probe said that one is missing or incomplete
	ByPolicy = "policy" // the relay holds a kind back because it cannot judge it
	ByWatch  = "watch"  // a host's heartbeats, or its word about neighbours, are not to be trusted; Kind says which
)

// Problem is a fact that is refused or incomplete; of ByWatch, it is no fact.
type Problem struct {
	Host     tenancy.HostID
	Source   string // who noticed
	Kind     string
	Instance string
	Reason   wire.Reason
	Detail   string
}

// Raise notes a problem, and records it if it is new or has changed.
func (tx *Tx) Raise(p Problem, from string, now int64) error {
	var reason wire.Reason
	var detail string
	found, err := tx.row("SELECT reason, detail FROM problems WHERE host = ? AND source = ? AND kind = ? AND instance = ?",
		[]any{p.Host.UUID[:], p.Source, p.Kind, p.Instance}, &reason, &detail)
	if err != nil {
		return err
	}
	if found && reason == p.Reason && detail == p.Detail {
		return nil
	}
	if !found {
		var count int
		if _, err := tx.row("SELECT count(*) FROM problems WHERE host = ?", []any{p.Host.UUID[:]}, &count); err != nil || count >= maxProblems {
			return err
		}
	} else if reason != p.Reason { // another rule: the one before no longer stands
		if err := tx.appendProblem(Problem{p.Host, p.Source, p.Kind, p.Instance, reason, detail}, from, true, now); err != nil {
			return err
		}
	}
	err = tx.exec(`INSERT INTO problems (host, source, kind, instance, reason, detail) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET reason = excluded.reason, detail = excluded.detail`,
		p.Host.UUID[:], p.Source, p.Kind, p.Instance, p.Reason, p.Detail)
	if err != nil {
		return fmt.Errorf("noting a problem: %w", err)
	}
	return tx.appendProblem(p, from, false, now)
}

// Clear forgets a problem of that source and key, and records its end if it
// stood.
func (tx *Tx) Clear(p Problem, from string, now int64) error {
	found, err := tx.row("DELETE FROM problems WHERE host = ? AND source = ? AND kind = ? AND instance = ? RETURNING reason, detail",
		[]any{p.Host.UUID[:], p.Source, p.Kind, p.Instance}, &p.Reason, &p.Detail)
	if err != nil || !found {
		return err
	}
	return tx.appendProblem(p, from, true, now)
}

// ClearBy is Clear for all that a source has noticed.
func (tx *Tx) ClearBy(source string, now int64) error {
	var standing []Problem
	err := tx.each("SELECT host, kind, instance FROM problems WHERE source = ?", []any{source}, func(rows *sql.Rows) error {
		p := Problem{Source: source}
		err := rows.Scan(&p.Host, &p.Kind, &p.Instance)
		standing = append(standing, p)
		return err
	})
	if err != nil {
		return fmt.Errorf("looking for problems that stand: %w", err)
	}
	for _, p := range standing {
		if err := tx.Clear(p, "", now); err != nil {
			return err
		}
	}
	return nil
}

// tellProblems records those of a host that stand about a kind, behind the list of
// its facts, which says that nothing else does.
func (tx *Tx) tellProblems(id tenancy.HostID, kind string, now int64) error {
	var standing []Problem
	err := tx.each("SELECT source, instance, reason, detail FROM problems WHERE host = ? AND kind = ? ORDER BY source, instance", []any{id.UUID[:], kind}, func(rows *sql.Rows) error {
		p := Problem{Host: id, Kind: kind}
		err := rows.Scan(&p.Source, &p.Instance, &p.Reason, &p.Detail)
		standing = append(standing, p)
		return err
	})
	if err != nil {
		return fmt.Errorf("looking for a host's problems: %w", err)
	}
	for _, p := range standing {
		if err := tx.appendProblem(p, "", false, now); err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) appendProblem(p Problem, from string, cleared bool, now int64) error {
	subject := "fact"
	if p.Source == ByWatch {
		subject = p.Kind
	}
	return tx.Append(uplink.Change{
		Type: uplink.Refusal, Host: p.Host, SeenAt: now, Kind: p.Kind, Instance: p.Instance,
		Refusal: &uplink.RefusalBody{Subject: subject, Reason: p.Reason, Detail: p.Detail, From: from, Cleared: cleared},
	})
}
