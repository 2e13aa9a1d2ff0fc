package main

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"assimilation/internal/pgtest"
)

// What the filler writes is what the facts say, and a damaged graph is mended to
// the last element.
func TestRebuildOfAnEstate(t *testing.T) {
	var out bytes.Buffer
	o := options{server: pgtest.URL(t), state: t.TempDir(), hosts: 300, seed: rand.Uint64N(1 << 32), output: "json", rebuild: true}
	if err := measure(t.Context(), o, &out, t.Output()); err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Rebuilds) != 2 || r.Rebuilds[0].Changed != 0 || r.Rebuilds[1].Changed < 100 {
		t.Errorf("%+v", r.Rebuilds)
	}
	for _, b := range r.Rebuilds {
		if !b.Equal || b.Skipped != 0 || b.Checked < 15_000 {
			t.Errorf("%+v", b)
		}
	}
}

// Everything that is timed can be asked.
func TestQuestionsOfAnEstate(t *testing.T) {
	var out bytes.Buffer
	o := options{server: pgtest.URL(t), state: t.TempDir(), hosts: 300, seed: rand.Uint64N(1 << 32), samples: 1, patience: time.Nanosecond, output: "json"}
	if err := measure(t.Context(), o, &out, t.Output()); err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Times) < 60 || len(r.Sizes) < 6 || len(r.Backends) == 0 {
		t.Errorf("%d times, %d sizes, %d backends", len(r.Times), len(r.Sizes), len(r.Backends))
	}
	for _, row := range r.Times {
		if row.Failed != "" {
			t.Errorf("%s: %s: %s", row.Group, row.Name, row.Failed)
		}
	}
}
