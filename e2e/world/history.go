package world

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
)

// History is what the service's tables hold of the streams.
type History struct {
	Records  int // in all streams
	Versions int // of facts
	Epochs   int // that have fact versions
}

// Examine looks behind the API: streams without gap or repetition, and history
// in which every version differs from the one before. Versions are in the order
// of their effects: numbers begin anew with each epoch.
func (w *World) Examine(t testing.TB) History {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, w.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	for _, question := range []struct{ what, sql string }{
		{"records applied twice to a fact", `SELECT count(*) FROM (
			SELECT FROM assim.fact_versions GROUP BY relay, epoch, seq, host, kind, instance HAVING count(*) > 1) twice`},
		{"records beyond the stream's position", `SELECT count(*) FROM assim.fact_versions v JOIN assim.streams s ON s.relay = v.relay AND s.epoch = v.epoch WHERE v.seq > s.position`},
		{"versions equal to the one before", `SELECT count(*) FROM (
			SELECT hash, lag(hash) OVER w AS before, row_number() OVER w AS n FROM assim.fact_versions
			WINDOW w AS (PARTITION BY host, kind, instance ORDER BY at, seq)) v
			WHERE n > 1 AND hash IS NOT DISTINCT FROM before`},
		{"versions that do not name the one before", `SELECT count(*) FROM (
			SELECT previous, lag(hash) OVER w AS before, row_number() OVER w AS n FROM assim.fact_versions
			WINDOW w AS (PARTITION BY host, kind, instance ORDER BY at, seq)) v
			WHERE n > 1 AND previous IS DISTINCT FROM before`},
		{"current facts that are not the newest version", `SELECT count(*) FROM assim.facts f WHERE hash IS DISTINCT FROM (
			SELECT v.hash FROM assim.fact_versions v WHERE (v.host, v.kind, v.instance) = (f.host, f.kind, f.instance)
			ORDER BY at DESC, seq DESC LIMIT 1)`},
	} {
		var n int
		if err := conn.QueryRow(ctx, question.sql).Scan(&n); err != nil {
			t.Errorf("%s: %v", question.what, err)
		} else if n != 0 {
			t.Errorf("%s: %d", question.what, n)
		}
	}
	var h History
	err = conn.QueryRow(ctx, `SELECT (SELECT sum(position)::bigint FROM assim.streams),
		(SELECT count(*) FROM assim.fact_versions), (SELECT count(DISTINCT epoch) FROM assim.fact_versions)`).Scan(&h.Records, &h.Versions, &h.Epochs)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d records in the streams; %d fact versions of %d epochs", h.Records, h.Versions, h.Epochs)
	return h
}
