package world

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite" // the relay's store

	"assimilation/discovery/switchport"
)

// SameFacts waits until the service holds exactly the facts that a relay holds, by
// their hashes: of hosts that are gone, too, whose own tools cannot be asked. What
// stays in the site is left out.
func (w *World) SameFacts(t testing.TB, relay string) {
	t.Helper()
	var facts int
	Eventually(t, Patience, "the facts of "+relay+" at the service", func() (bool, string) {
		told, held := w.FactsOfRelay(t, relay), w.factsOfService(t)
		facts = len(told)
		if maps.Equal(told, held) {
			return true, ""
		}
		var differ []string
		for key, hash := range told {
			if held[key] != hash {
				differ = append(differ, fmt.Sprintf("%s: %.8s at the relay, %.8s at the service", key, hash, held[key]))
			}
		}
		for key, hash := range held {
			if _, known := told[key]; !known {
				differ = append(differ, fmt.Sprintf("%s: only the service has it: %.8s", key, hash))
			}
		}
		slices.Sort(differ)
		return false, fmt.Sprint(len(differ), " differ: ", differ[:min(len(differ), 20)])
	})
	if facts == 0 {
		t.Errorf("%s has no facts: nothing was compared", relay)
	}
	t.Logf("%d facts at the relay, the same at the service", facts)
}

// FactsOfRelay reads the hashes of the facts in a relay's store, by "host kind
// instance".
func (w *World) FactsOfRelay(t testing.TB, relay string) map[string]string {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(w.State(relay), "relay.db")+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query("SELECT host, kind, instance, hex(hash) FROM facts WHERE hash IS NOT NULL AND kind <> ?", switchport.Kind.Name)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	facts := map[string]string{}
	for rows.Next() {
		var host uuid.UUID
		var kind, instance, hash string
		if err := rows.Scan(&host, &kind, &instance, &hash); err != nil {
			t.Fatal(err)
		}
		facts[fmt.Sprint(host, " ", kind, " ", instance)] = hash
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return facts
}

func (w *World) factsOfService(t testing.TB) map[string]string {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, w.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, `SELECT host::text || ' ' || kind || ' ' || instance, upper(encode(hash, 'hex')) FROM assim.facts WHERE kind <> $1`, switchport.Kind.Name)
	if err != nil {
		t.Fatal(err)
	}
	facts := map[string]string{}
	var key, hash string
	if _, err := pgx.ForEachRow(rows, []any{&key, &hash}, func() error { facts[key] = hash; return nil }); err != nil {
		t.Fatal(err)
	}
	return facts
}
