package canary_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/klauspost/compress/zstd"

	"assimilation/e2e/netns"
	"assimilation/e2e/world"
	"assimilation/uplink"
)

// Where hosts are plugged in, and where they stand, is told by switches with
// words that occur nowhere else. Under the policy "site" the service's whole
// database and all that relays sent hold none of them, though people see them;
// under "replicate" it holds them, and afterwards none again.
func TestWiringStaysInTheSite(t *testing.T) {
	names := netns.Names{Switch: word("switch", 0), Port: word("port", 0), Rack: word("rack", 0), Room: word("room", 0)}
	label := word("label", 0)
	chassis := "02:00:00:00:02:01" // of the second switch
	f := netns.NewFabric(t, names)
	canaries := needles{
		"switch": []byte(names.Switch), "port": []byte(names.Port), "rack": []byte(names.Rack), "room": []byte(names.Room),
		"label": []byte(label), "chassis": []byte(chassis),
	}
	listen := f.Service + ":8080"
	through := newProxyAt(t, listen, f.Service+":0")
	w := world.New(t, world.Options{Listen: listen, Through: through.server.URL})
	_, relay := w.Relay(world.Node{
		Name: "relay", Netns: f.RelayNetns, Listen: f.RelayAddress + ":1984", HTTP: "127.0.0.1:1985", Env: []string{"SSL_CERT_FILE=" + through.caFile},
	})
	_, token := w.Token("probe")
	for _, h := range f.Hosts() {
		w.Probe(world.Node{Name: h.Name, Netns: h.Netns, Host: h.Name, Relay: relay, Token: token, Env: []string{"ASSIM_LABELS=rack=" + label}})
	}

	topology := func() string {
		out, _ := w.Try("topology", w.Site, "-o", "json") // what it says instead names no canary
		return out
	}
	world.Eventually(t, 2*time.Minute, "people see the wiring", func() (bool, string) {
		out := topology()
		for name, needle := range canaries {
			if !strings.Contains(out, string(needle)) {
				return false, name + " is missing from " + out
			}
		}
		for _, h := range f.Hosts() {
			if !strings.Contains(out, h.Port) {
				return false, h.Port + " is missing"
			}
		}
		return true, ""
	})
	// A verdict about a switch, with its evidence, leaves the site as well.
	f.Switches[1].Power(false)
	world.Eventually(t, time.Minute, "the verdict at the service", func() (bool, string) {
		out := w.Assim("verdict", "list", "-o", "json")
		return strings.Contains(out, "switch down"), out
	})
	f.Switches[1].Power(true)
	for _, h := range f.Hosts() {
		w.HostUp(h.Name, time.Minute)
	}

	held := func() (found, missing []string) { return canaries.inDatabase(t, w) }
	if found, _ := held(); len(found) > 0 {
		t.Errorf("under the policy site the database holds %v", found)
	}
	sent := open(t, w, batches(t, through.exchanges()))
	if found, _ := canaries.found(sent); len(found) > 0 || len(sent) == 0 {
		t.Errorf("under the policy site %v were in the %d batches that relays sent", found, len(sent))
	}

	w.Assim("site", "set", w.Site, "--residency", "replicate")
	world.Eventually(t, time.Minute, "the database holds the wiring", func() (bool, string) {
		_, missing := held()
		return len(missing) == 0, fmt.Sprint("missing: ", missing)
	})
	world.Eventually(t, time.Minute, "all switch ports in the graph", func() (bool, string) {
		rows := w.Rows("query", "allswitchports")
		return len(rows) == len(f.Hosts()), fmt.Sprint(rows)
	})
	w.Assim("site", "set", w.Site, "--residency", "site")
	world.Eventually(t, time.Minute, "the database forgets the wiring", func() (bool, string) {
		found, _ := held()
		return len(found) == 0, fmt.Sprint("held: ", found)
	})
	// Facts that were on their way must not bring it back.
	before := len(through.exchanges())
	f.Hosts()[0].Cut(true)
	world.Eventually(t, time.Minute, "something new at the service", func() (bool, string) {
		return strings.Contains(w.Assim("verdict", "list", "--open", "-o", "json"), "host down"), ""
	})
	f.Hosts()[0].Cut(false)
	w.HostUp(f.Hosts()[0].Name, time.Minute)
	if found, _ := held(); len(found) > 0 {
		t.Errorf("after going back the database holds %v", found)
	}
	if len(through.exchanges()) == before {
		t.Error("nothing was sent after going back")
	}
	if out := topology(); !strings.Contains(out, names.Switch) {
		t.Error("people no longer see the wiring")
	}
	t.Logf("%d canaries: 0 in the database and in %d batches under site, all in the database under replicate, 0 after going back", len(canaries), len(sent))
}

// batches are the exchanges that carried some.
func batches(t *testing.T, all []exchange) []exchange {
	t.Helper()
	return slices.DeleteFunc(slices.Clone(all), func(e exchange) bool {
		header, err := uplink.ParseHeader(e.request)
		return err != nil || header.Purpose != uplink.PurposeBatch
	})
}

// inDatabase looks for the needles in every row of every table, as text, in hex,
// and in what is compressed.
func (n needles) inDatabase(t *testing.T, w *world.World) (found, missing []string) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, w.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, `
		SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer decoder.Close()
	hits := map[string]bool{}
	total := 0
	look := func(text []byte) {
		total += len(text)
		for name, needle := range n {
			if bytes.Contains(text, needle) || bytes.Contains(text, []byte(hex.EncodeToString(needle))) {
				hits[name] = true
			}
		}
	}
	for _, table := range tables {
		rows, err := conn.Query(ctx, "SELECT r::text FROM "+table+" r")
		if err != nil {
			t.Fatalf("reading %s: %v", table, err)
		}
		texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatalf("reading %s: %v", table, err)
		}
		for _, text := range texts {
			look([]byte(text))
			for part := range strings.SplitSeq(text, `\\x`) {
				raw, _ := hex.DecodeString(part[:len(part)-len(strings.TrimLeft(part, "0123456789abcdef"))])
				if i := bytes.Index(raw, zstdMagic); i >= 0 {
					if body, err := decoder.DecodeAll(raw[i:], nil); err == nil {
						look(body)
					}
				}
			}
		}
	}
	if len(tables) < 20 || total < 10_000 {
		t.Fatalf("%d tables with %d bytes: that is not the whole database", len(tables), total)
	}
	for _, name := range slices.Sorted(maps.Keys(n)) {
		if hits[name] {
			found = append(found, name)
		} else {
			missing = append(missing, name)
		}
	}
	return found, missing
}
