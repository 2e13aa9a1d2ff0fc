package ingest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"assimilation/tenancy"
	"assimilation/uplink"
)

// conclusion is a verdict of a relay that a test tells of.
func conclusion(n byte, kind uplink.VerdictKind, hosts ...*probe) *uplink.VerdictBody {
	v := &uplink.VerdictBody{ID: slices.Repeat([]byte{n}, 16), Kind: kind, Since: seenAt - 2000, At: seenAt, Confidence: 90}
	for _, h := range hosts {
		v.Hosts = append(v.Hosts, h.id)
	}
	return v
}

func (r *relay) tell(t testing.TB, v *uplink.VerdictBody) {
	t.Helper()
	told := *v
	r.add(t, uplink.Change{Type: uplink.Verdict, Verdict: &told})
}

func over(v *uplink.VerdictBody, ending string) *uplink.VerdictBody {
	ended := *v
	ended.Over, ended.Ending = v.At+60_000, ending
	return &ended
}

func (p *probe) is(t testing.TB, state uplink.State) {
	t.Helper()
	p.r.add(t, uplink.Change{Type: uplink.HostState, Host: p.id, HostState: &uplink.HostStateBody{State: state}})
}

// standing is every verdict in a line, newest first.
func (f *fixture) standing(t testing.TB) []string {
	t.Helper()
	return column[string](t, f, `
		SELECT concat_ws(' ', v.kind, v.count, (SELECT string_agg(h.name, '+' ORDER BY h.name) FROM assim.verdict_hosts vh
			JOIN assim.hosts h ON h.tenant = vh.tenant AND h.id = vh.host WHERE vh.tenant = v.tenant AND vh.verdict = v.id), v.ending, v.confidence, v.since, v.at,
			v.over_at, v.cause, encode(v.domain, 'hex'), v.evidence)
		FROM assim.verdicts v ORDER BY v.id`)
}

func (f *fixture) states(t testing.TB) []string {
	t.Helper()
	return column[string](t, f, `SELECT name || ' ' || state FROM assim.hosts ORDER BY name`)
}

func (f *fixture) told(t testing.TB) []string {
	t.Helper()
	return column[string](t, f, `SELECT type || ' ' || coalesce(detail->>'name', '') || coalesce(detail->>'ending', '') FROM assim.events
		WHERE verdict IS NOT NULL ORDER BY least(seen_at, at), id`)
}

func wantLines(t testing.TB, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestAVerdictMovesItsHosts(t *testing.T) {
	f := newFixture(t)
	r := f.relay(t)
	a, b, c := r.probe(t, "a"), r.probe(t, "b"), r.probe(t, "c")
	down := conclusion(1, uplink.HostDown, a)
	down.Evidence = []uplink.Evidence{{Kind: uplink.MissedBeats, At: seenAt, By: b.id, About: a.id, Age: 2000}, {Kind: uplink.NoEcho, At: seenAt, About: a.id}}
	r.tell(t, down)
	r.flush(t)
	wantLines(t, "host down", f.states(t), "a down", "b up", "c up")
	f.consistent(t) // the graph's Host says so too
	if !slices.ContainsFunc(f.elements(t), func(line string) bool {
		return strings.Contains(line, "name:a") && strings.Contains(line, "state:down")
	}) {
		t.Errorf("the graph does not know of it: %q", f.elements(t))
	}

	// Its switch explains it, and takes another host along; then one more.
	behind := conclusion(2, uplink.SwitchDown, a, b)
	behind.Domain = slices.Repeat([]byte{7}, 16)
	ended := over(down, "part of another")
	ended.Cause = behind.ID
	r.tell(t, behind)
	r.tell(t, ended)
	r.flush(t)
	wantLines(t, "switch down", f.states(t), "a unreachable", "b unreachable", "c up")
	b.is(t, uplink.Up)
	behind.Hosts = append(behind.Hosts, c.id)
	r.tell(t, behind)
	r.flush(t)
	wantLines(t, "it grows", f.states(t), "a unreachable", "b up", "c unreachable")
	for _, p := range []*probe{a, c} {
		p.is(t, uplink.Up)
	}
	r.tell(t, over(behind, "back"))
	r.flush(t)
	wantLines(t, "all are back", f.states(t), "a up", "b up", "c up")
	wantLines(t, "events", f.told(t), "verdict.host-down a", "verdict.switch-down ", "verdict.over apart of another", "verdict.over back")

	// A momentary one is told once, and one that was never told open is told whole.
	r.tell(t, over(conclusion(3, uplink.ClockStepped, a), "back"))
	r.tell(t, over(conclusion(4, uplink.ProbeDown, b), "back"))
	r.flush(t)
	wantLines(t, "states", f.states(t), "a up", "b up", "c up")
	wantLines(t, "later events", f.told(t)[2:], "verdict.clock-stepped a", "verdict.agent-down b", "verdict.over apart of another", "verdict.over back", "verdict.over bback")
	f.consistent(t)
}

func TestAVerdictSpeaksOfItsSiteOnly(t *testing.T) {
	f := newFixture(t)
	r, other := f.relay(t), f.relay(t)
	mine, theirs := r.probe(t, "mine"), other.probe(t, "theirs")
	r.flush(t)
	other.flush(t)
	stranger := &probe{r: r, id: tenancy.NewID[tenancy.HostID]()}
	v := conclusion(1, uplink.SwitchDown, mine, theirs, stranger, mine)
	v.Evidence = []uplink.Evidence{{Kind: uplink.MissedBeats, At: seenAt, By: theirs.id, About: mine.id}, {Kind: uplink.NoEcho, At: seenAt, About: mine.id}}
	r.tell(t, v)
	r.tell(t, conclusion(2, uplink.HostDown, theirs)) // of others only
	r.flush(t)
	taken := over(conclusion(1, uplink.SwitchDown, theirs), "back") // of another site
	other.tell(t, taken)
	other.flush(t)
	wantLines(t, "states", f.states(t), "mine unreachable", "theirs up")
	standing := f.standing(t)
	if len(standing) != 1 || !strings.HasPrefix(standing[0], "switch down 1 mine  90") || strings.Contains(standing[0], "missed") || !strings.Contains(standing[0], "no echo") {
		t.Errorf("standing: %q", standing)
	}
	refused := column[string](t, f, `SELECT detail->>'reason' || ': ' || (detail->>'detail') FROM assim.events WHERE type = 'refusal' ORDER BY id`)
	wantLines(t, "refusals", refused, "wrong site: none of the verdict's hosts is of this site", "wrong site: the verdict belongs to another site")
}

func TestAHostThatMovedIsJudgedByItsOwnRelay(t *testing.T) {
	f := newFixture(t)
	r := f.relay(t)
	p := r.probe(t, "h")
	r.flush(t)
	second := &relay{f: f, source: Source{Tenant: f.tenant, Site: r.source.Site, Relay: tenancy.NewID[tenancy.RelayID]()}}
	f.exec(t, `INSERT INTO assim.relays (id, tenant, site, name, token, noise_key, sign_key, seal_key, certificate) VALUES ($1, $2, $3, 'r2', '', '', $4, '', '')`,
		second.source.Relay, f.tenant, r.source.Site, second.source.Relay.UUID[:])
	second.restart(1)
	second.add(t, uplink.Change{Type: uplink.HostState, Host: p.id, HostState: &uplink.HostStateBody{State: uplink.Up}})
	second.flush(t)
	r.tell(t, conclusion(1, uplink.HostDown, p))
	r.flush(t)
	wantLines(t, "the former relay's word", f.states(t), "h up")
	second.tell(t, conclusion(2, uplink.HostDown, p))
	second.flush(t)
	wantLines(t, "its relay's word", f.states(t), "h down")
}

// A relay that was restored from a copy tells anew what was over long ago.
func TestWhatIsOverStaysOver(t *testing.T) {
	f := newFixture(t)
	r := f.relay(t)
	p := r.probe(t, "h")
	v := conclusion(1, uplink.HostDown, p)
	r.tell(t, v)
	p.is(t, uplink.Up)
	r.tell(t, over(v, "back"))
	r.flush(t)
	before, told := f.standing(t), f.told(t)
	r.restart(8)
	r.tell(t, v)
	r.tell(t, over(v, "back"))
	r.flush(t)
	wantLines(t, "verdicts", f.standing(t), before...)
	wantLines(t, "events", f.told(t), told...)
	wantLines(t, "states", f.states(t), "h up")
}

// What a site that was cut off tells late stands where it belongs, among what
// others told meanwhile.
func TestABacklogIsReadByTheRelaysClock(t *testing.T) {
	f := newFixture(t)
	island, mainland := f.relay(t), f.relay(t)
	a, b := island.probe(t, "a"), mainland.probe(t, "b")
	island.flush(t)
	mainland.flush(t)
	early, late := conclusion(1, uplink.HostDown, a), conclusion(2, uplink.HostDown, b)
	late.At += 30_000
	island.tell(t, early)
	island.tell(t, over(early, "back")) // 60 s after its beginning
	mainland.tell(t, late)
	mainland.flush(t)
	island.flush(t)
	wantLines(t, "events", f.told(t), "verdict.host-down a", "verdict.host-down b", "verdict.over aback")
	if late := value[int](t, f, `SELECT count(*) FROM assim.events WHERE verdict IS NOT NULL AND seen_at >= at`); late != 0 {
		t.Errorf("%d events have lost their relay's time", late)
	}
}

// Verdicts that open, grow and end, among hosts that come and go, leave the same
// rows however the stream is cut into batches.
func TestVerdictsDoNotDependOnTheCut(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	kinds := []uplink.VerdictKind{uplink.HostDown, uplink.ProbeDown, uplink.ProbeUnresponsive, uplink.HostShutDown, uplink.LinkDown, uplink.SwitchDown,
		uplink.ZoneDown, uplink.SiteCutOff, uplink.Clone, uplink.ClockStepped}
	type step struct {
		host    int // of which the state is told, or -1
		up      bool
		verdict byte
		hosts   []int
		over    bool
	}
	var steps []step
	for range 120 {
		s := step{host: -1, verdict: byte(1 + random.IntN(12))}
		if random.IntN(3) == 0 {
			s.host, s.up = random.IntN(6), random.IntN(3) > 0
		}
		for range random.IntN(4) {
			s.hosts = append(s.hosts, random.IntN(7)) // the last is nobody
		}
		s.over = random.IntN(3) == 0
		steps = append(steps, s)
	}
	var want []string
	for round := range 4 {
		f := newFixture(t)
		r := f.relay(t)
		var probes []*probe
		for n := range 6 {
			probes = append(probes, r.probe(t, fmt.Sprint("h", n)))
		}
		probes = append(probes, &probe{r: r})
		probes[6].id.UUID[0] = 9
		for n, s := range steps {
			switch {
			case s.host >= 0 && s.up:
				probes[s.host].is(t, uplink.Up)
			case s.host >= 0:
				probes[s.host].is(t, uplink.Silent)
			default:
				v := conclusion(s.verdict, kinds[int(s.verdict)%len(kinds)])
				v.At, v.Confidence = seenAt+int64(n), uint8(1+n%100)
				for _, h := range s.hosts {
					v.Hosts = append(v.Hosts, probes[h].id)
				}
				if s.over {
					v = over(v, "back")
				}
				r.tell(t, v)
			}
		}
		if round == 0 {
			r.flush(t)
		}
		for first := uint64(1); round > 0 && first <= uint64(len(r.records)); {
			last := min(first+random.Uint64N(1<<(2*round-1)), uint64(len(r.records)))
			r.send(t, first, last)
			first = last + 1
		}
		r.send(t, 1, uint64(len(r.records))) // again: nothing changes
		got := slices.Concat(f.standing(t), f.states(t), f.told(t),
			column[string](t, f, `SELECT name || ' ' || state_at FROM assim.hosts ORDER BY name`))
		if round == 0 {
			want = got
			f.consistent(t)
		}
		wantLines(t, fmt.Sprint("cut ", round), got, want...)
	}
}
