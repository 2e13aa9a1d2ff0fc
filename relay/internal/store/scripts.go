package store

import (
	"database/sql"
	"slices"

	"assimilation/discovery"
	"assimilation/discovery/scripts"
	"assimilation/tenancy"
)

// strikeScripts drops the facts and problems of script agents that are not on the
// host's roll, the instances of the kind "scripts": a probe that starts does not
// know of scripts that were removed while it was down.
func (tx *Tx) strikeScripts(host tenancy.HostID, roll []string, now int64) (gone []Fact, err error) {
	err = tx.each(`SELECT kind, instance, hash, schema, observed, changed FROM facts WHERE host = ? AND kind >= ? AND kind < ? AND hash IS NOT NULL`,
		[]any{host.UUID[:], discovery.ScriptPrefix, afterPrefix(discovery.ScriptPrefix)}, func(rows *sql.Rows) error {
			f := Fact{Host: host}
			err := rows.Scan(&f.Kind, &f.Instance, &f.Hash, &f.Schema, &f.Observed, &f.Changed)
			if !slices.Contains(roll, f.Kind) {
				gone = append(gone, f)
			}
			return err
		})
	if err != nil {
		return nil, err
	}
	for _, f := range gone {
		if err := tx.DropFact(host, f.Kind, f.Instance, 0, now); err != nil {
			return nil, err
		}
	}
	var problems []Problem
	err = tx.each("SELECT source, kind, instance FROM problems WHERE host = ? AND (kind >= ? AND kind < ? OR kind = ? AND instance <> '')",
		[]any{host.UUID[:], discovery.ScriptPrefix, afterPrefix(discovery.ScriptPrefix), scripts.Kind.Name}, func(rows *sql.Rows) error {
			p := Problem{Host: host}
			err := rows.Scan(&p.Source, &p.Kind, &p.Instance)
			name := p.Kind
			if name == scripts.Kind.Name {
				name = scripts.Refused(p.Instance)
			}
			if !slices.Contains(roll, name) {
				problems = append(problems, p)
			}
			return err
		})
	if err != nil {
		return nil, err
	}
	for _, p := range problems {
		if err := tx.Clear(p, "", now); err != nil {
			return nil, err
		}
	}
	return gone, nil
}

// afterPrefix is the first text after all those that begin with prefix.
func afterPrefix(prefix string) string {
	last := len(prefix) - 1
	return prefix[:last] + string(prefix[last]+1)
}
