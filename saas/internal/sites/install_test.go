package sites_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"assimilation/saas/internal/sites"
	"assimilation/uplink"
)

func TestRelaysAreToldWhatTheyMayHandOut(t *testing.T) {
	w := newWorld(t)
	w.site(adminOfA, "berlin")
	r := w.enrolled("berlin", "relay-1")
	w.programs = []uplink.Program{{Name: "assim-probe-linux-amd64", Size: 7 << 20, Hash: bytes.Repeat([]byte{1}, 32), Version: "1.0"}}
	o := r.orders(0, 0)
	if o.Programs != nil {
		t.Error("a relay that hands out nothing is told of programs")
	}
	none := uplink.ProgramsHash(nil)
	r.programs = none[:]
	if o = r.orders(o.Revision, 20*time.Second); !o.NotModified || len(o.Programs) != 1 || o.Programs[0].Version != "1.0" {
		t.Fatalf("orders = %+v", o)
	}
	known := uplink.ProgramsHash(o.Programs)
	r.programs = known[:]
	if o = r.orders(o.Revision, 50*time.Millisecond); len(o.Programs) != 0 {
		t.Errorf("told again: %+v", o)
	}
}

func TestInstallLinesAreOfARelayNearby(t *testing.T) {
	w := newWorld(t)
	w.site(adminOfA, "berlin")
	lines := func(query string) []sites.InstallLine {
		t.Helper()
		var page items[sites.InstallLine]
		w.must(w.call(viewerOfA, "GET", "/v1/sites/berlin/install-lines"+query, "", &page), http.StatusOK, "asking for lines")
		return page.Items
	}
	fromService := "curl -fsSL " + w.url + "/install.sh | ASSIM_TOKEN=asm_enr_... sudo -E sh"
	if got := lines(""); len(got) != 2 || got[0] != (sites.InstallLine{From: "service", Tool: "curl", Line: fromService}) {
		t.Errorf("without a relay: %+v", got)
	}
	r := w.enrolled("berlin", "relay-1")
	r.serves, r.installs, r.installKey = "10.0.0.5:1984", "10.0.0.5:1987", make([]byte, 32)
	r.orders(0, 0)
	const pin = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	curl := "curl -fsSLk --noproxy '*' --pinnedpubkey " + pin + " https://10.0.0.5:1987/install.sh | ASSIM_TOKEN=asm_enr_... sudo -E sh"
	if got := lines("?kind=probe"); len(got) != 4 || got[0] != (sites.InstallLine{From: "relay-1", Tool: "curl", Line: curl}) ||
		!strings.Contains(got[1].Line, "--pinnedpubkey="+pin) || got[2].Line != fromService {
		t.Errorf("with a relay: %+v", got)
	}
	if got := lines("?kind=relay"); len(got) != 2 || got[0].From != "service" || !strings.Contains(got[0].Line, "ASSIM_TOKEN=asm_rly_...") {
		t.Errorf("for a relay: %+v", got)
	}
	minted, secret := w.mint("berlin", `{"kind":"probe"}`)
	if minted.Install != strings.Replace(curl, "asm_enr_...", minted.Secret, 1) || len(minted.Lines) != 4 || secret.Address != "10.0.0.5:1984" {
		t.Errorf("minted: %+v, address %q", minted, secret.Address)
	}
	var relays items[sites.Relay]
	w.must(w.call(viewerOfA, "GET", "/v1/sites/berlin/relays", "", &relays), http.StatusOK, "listing relays")
	if relays.Items[0].Installs != "10.0.0.5:1987" {
		t.Errorf("relay: %+v", relays.Items[0])
	}
	for _, forged := range []string{"10.0.0.5:1987/; reboot #", "$(reboot):1987", "`reboot`:1", "a|sh:1", "-k:1", "a b:1", "'':1", "[x*]:1", "10.0.0.5", ":1987"} {
		r.installs = forged
		r.orders(0, 0)
		if got := lines(""); len(got) != 2 {
			t.Errorf("a relay at %q: %+v", forged, got)
		}
	}
	r.installs = "[2001:db8::5]:1987"
	r.orders(0, 0)
	if got := lines(""); len(got) != 4 || !strings.Contains(got[0].Line, " https://[2001:db8::5]:1987/install.sh | ") {
		t.Errorf("a relay with an address of IPv6: %+v", got)
	}
	w.exec(w.a.id, `UPDATE relays SET seen_at = now() - interval '1 hour'`)
	if got := lines(""); len(got) != 2 {
		t.Errorf("a relay that is silent: %+v", got)
	}
	w.must(w.call(viewerOfA, "GET", "/v1/sites/nowhere/install-lines", "", nil), http.StatusNotFound, "asking for lines of no site")
	w.must(w.call(viewerOfA, "GET", "/v1/sites/berlin/install-lines?kind=api", "", nil), http.StatusUnprocessableEntity, "asking for lines of no kind")
}
