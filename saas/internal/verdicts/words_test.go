package verdicts

import (
	"slices"
	"strings"
	"testing"
	"time"

	"assimilation/tenancy"
	"assimilation/uplink"
)

func TestEveryKindHasWords(t *testing.T) {
	for _, kind := range kinds {
		v := Verdict{Kind: kind, Site: "paris", Relay: "r1", Count: 2, Hosts: []Host{{Name: "web"}, {Name: "db"}}}
		if said := title(v); said == kind || said == "" {
			t.Errorf("%s is titled %q", kind, said)
		}
		if meaning(kind) == "" {
			t.Errorf("nobody says what %s means", kind)
		}
	}
	if said := title(Verdict{Kind: "volcano"}); said != "volcano" {
		t.Errorf("a kind of the future is titled %q", said)
	}
	for k := uplink.MissedBeats; k <= uplink.WitnessGone; k++ {
		if said := sentence(Evidence{Code: k.String()}); said == k.String() {
			t.Errorf("evidence %q has no words", k)
		}
	}
}

func TestWords(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{title(Verdict{Kind: "host down"}), "a host is down"},
		{title(Verdict{Kind: "link", Hosts: []Host{{Name: "a"}, {Name: "b"}}}), "a and b do not hear each other"},
		{title(Verdict{Kind: "link", Hosts: []Host{{Name: "a"}}}), "hosts do not hear each other"},
		{title(Verdict{Kind: "zone down", Count: 1}), "a zone is down, with 1 host"},
		{sentence(Evidence{Code: "clock jumped", About: &Host{Name: "a"}, AgeMS: -7_200_000}), "the clock of a jumped by -2 h 0 min"},
		{sentence(Evidence{Code: "relay deaf", Count: 48}), "the relay hears none of 48 hosts"},
		{short(0), "0 ms"}, {short(1900), "1.9 s"}, {short(125_000), "2 min 5 s"}, {short(-3_660_000), "-1 h 1 min"}, {short(400_000_000), "4 days"},
		{after(-250), "−250 ms"}, {after(2500), "+2.5 s"},
		{sureness(95), "sure"}, {sureness(70), "likely"}, {sureness(40), "possible"}, {sureness(5), "weak"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

func TestVerdictsHangUnderTheirCauses(t *testing.T) {
	var ids []tenancy.VerdictID
	for range 6 {
		ids = append(ids, tenancy.NewID[tenancy.VerdictID]())
	}
	// 0 <- 1 <- 2; 3 and 4 explain each other, 5 hangs on them; an unknown cause.
	stranger := tenancy.NewID[tenancy.VerdictID]()
	causes := []*tenancy.VerdictID{&stranger, &ids[0], &ids[1], &ids[4], &ids[3], &ids[3]}
	var items []Verdict
	for i, id := range ids {
		items = append(items, Verdict{ID: id, Count: int64(i), Cause: causes[i]})
	}
	var lines []string
	var walk func([]tree, string)
	walk = func(all []tree, before string) {
		for _, v := range all {
			lines = append(lines, before+string(rune('0'+v.Count)))
			walk(v.Explains, before+">")
		}
	}
	walk(trees(items), "")
	if want := []string{"0", ">1", ">>2", "3", "4", "5"}; !slices.Equal(lines, want) {
		t.Errorf("%q, want %q", lines, want)
	}
}

func TestTheDrawingHoldsAllEvidence(t *testing.T) {
	for _, n := range []int{0, 1, 3, 64} {
		w := Whole{Verdict: Verdict{Since: noon, At: noon.Add(3 * time.Second)}}
		over := noon.Add(time.Hour)
		w.OverAt = &over
		for i := range n {
			by := &Host{Name: "<" + strings.Repeat("w", i%40)}
			if i%3 == 0 {
				by = nil
			}
			w.Evidence = append(w.Evidence, Evidence{Code: uplink.EvidenceKind(i).String(), At: noon.Add(time.Duration(i*i-5) * 100 * time.Millisecond), By: by, Text: "x<y"})
		}
		d := drawingOf(w)
		marks := 0
		for _, l := range d.lanes {
			marks += len(l.marks)
			for _, m := range l.marks {
				if m.x < nameWidth || m.x > d.width {
					t.Errorf("%d pieces of evidence: a mark at %d of %d", n, m.x, d.width)
				}
			}
		}
		if marks != n || len(d.moments) > maxMoments {
			t.Errorf("%d pieces of evidence: %d marks at %d moments", n, marks, len(d.moments))
		}
		var b strings.Builder
		if err := d.writeSVG(&b); err != nil || strings.Contains(b.String(), "x<y") || strings.Contains(b.String(), "><w") {
			t.Errorf("%v: %s", err, b.String())
		}
	}
}

func FuzzCursor(f *testing.F) {
	f.Add(makeCursor(Verdict{ID: tenancy.NewID[tenancy.VerdictID](), At: noon}))
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, cursor string) {
		if p, err := parseCursor(cursor); err == nil && (p == nil) != (cursor == "") {
			t.Errorf("%q is taken and says no time", cursor)
		}
	})
}
