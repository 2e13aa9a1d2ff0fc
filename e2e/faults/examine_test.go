package faults_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/e2e/world"
)

// status is what a relay says of itself.
type status struct {
	Backlog uint64 `json:"backlog"`
	Last    uint64 `json:"last_seq"`
	Acked   uint64 `json:"acked"`
}

func relayStatus(address string) (s status, err error) {
	client := http.Client{Timeout: 2 * time.Second}
	res, err := client.Get("http://" + address + "/status")
	if err != nil {
		return s, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return s, fmt.Errorf("relay: %s", res.Status)
	}
	return s, json.NewDecoder(res.Body).Decode(&s)
}

// examine looks behind the API: streams without gap or repetition, and history
// in which every version differs from the one before.
func examine(t *testing.T, w *world.World) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, w.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	for _, question := range []struct{ what, sql string }{
		{"records applied twice", `SELECT count(*) FROM (SELECT FROM assim.fact_versions GROUP BY relay, epoch, seq HAVING count(*) > 1) twice`},
		{"records beyond the stream's position", `SELECT count(*) FROM assim.fact_versions v JOIN assim.streams s ON s.relay = v.relay AND s.epoch = v.epoch WHERE v.seq > s.position`},
		{"streams that began anew", `SELECT count(DISTINCT epoch) - 1 FROM assim.fact_versions`},
		{"versions equal to the one before", `SELECT count(*) FROM (
			SELECT hash, lag(hash) OVER w AS before, row_number() OVER w AS n FROM assim.fact_versions
			WINDOW w AS (PARTITION BY host, kind, instance ORDER BY seq)) v
			WHERE n > 1 AND hash IS NOT DISTINCT FROM before`},
		{"versions that do not name the one before", `SELECT count(*) FROM (
			SELECT previous, lag(hash) OVER w AS before, row_number() OVER w AS n FROM assim.fact_versions
			WINDOW w AS (PARTITION BY host, kind, instance ORDER BY seq)) v
			WHERE n > 1 AND previous IS DISTINCT FROM before`},
		{"current facts that are not the newest version", `SELECT count(*) FROM assim.facts f WHERE hash IS DISTINCT FROM (
			SELECT v.hash FROM assim.fact_versions v WHERE (v.host, v.kind, v.instance) = (f.host, f.kind, f.instance) ORDER BY seq DESC LIMIT 1)`},
	} {
		var n int
		if err := conn.QueryRow(ctx, question.sql).Scan(&n); err != nil {
			t.Errorf("%s: %v", question.what, err)
		} else if n != 0 {
			t.Errorf("%s: %d", question.what, n)
		}
	}
	var versions, position int
	if err := conn.QueryRow(ctx, `SELECT (SELECT count(*) FROM assim.fact_versions), (SELECT sum(position) FROM assim.streams)`).Scan(&versions, &position); err != nil {
		t.Fatal(err)
	}
	if versions < 20 {
		t.Errorf("only %d fact versions: the test shows nothing", versions)
	}
	t.Logf("%d records in the stream, %d of them fact versions", position, versions)
}
