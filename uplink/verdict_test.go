package uplink_test

import (
	"slices"
	"strings"
	"testing"

	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

func verdictSample() uplink.Change {
	c := laterSamples()[2]
	body := *c.Verdict
	body.Hosts, body.Evidence = slices.Clone(body.Hosts), slices.Clone(body.Evidence)
	c.Verdict = &body
	return c
}

func TestVerdictsAreChecked(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*uplink.VerdictBody)
		want  wire.Reason
	}{
		"whole":                     {func(*uplink.VerdictBody) {}, wire.Accepted},
		"open":                      {func(v *uplink.VerdictBody) { v.Over, v.Ending = 0, "" }, wire.Accepted},
		"of nobody":                 {func(v *uplink.VerdictBody) { v.Hosts, v.Count, v.Domain, v.Cause, v.Evidence = nil, 0, nil, nil, nil }, wire.Accepted},
		"evidence of the future":    {func(v *uplink.VerdictBody) { v.Evidence[0].Kind = 200 }, wire.Accepted},
		"short id":                  {func(v *uplink.VerdictBody) { v.ID = fill(15, 1) }, wire.Malformed},
		"no id":                     {func(v *uplink.VerdictBody) { v.ID = nil }, wire.Malformed},
		"long cause":                {func(v *uplink.VerdictBody) { v.Cause = fill(17, 1) }, wire.Malformed},
		"domain that is not opaque": {func(v *uplink.VerdictBody) { v.Domain = []byte("switch1") }, wire.Malformed},
		"kind of the future":        {func(v *uplink.VerdictBody) { v.Kind = "volcano" }, wire.Unsupported},
		"the service's own kind":    {func(v *uplink.VerdictBody) { v.Kind = "site dark" }, wire.Unsupported},
		"too many hosts": {func(v *uplink.VerdictBody) {
			v.Hosts = slices.Repeat([]tenancy.HostID{hostID}, uplink.MaxVerdictHosts+1)
		}, wire.TooLarge},
		"too much evidence": {func(v *uplink.VerdictBody) {
			v.Evidence = slices.Repeat(v.Evidence[:1], uplink.MaxEvidence+1)
		}, wire.TooLarge},
		"count of 64 bits":       {func(v *uplink.VerdictBody) { v.Count = 1 << 63 }, wire.Malformed},
		"never reached":          {func(v *uplink.VerdictBody) { v.At = 0 }, wire.Malformed},
		"year 10000":             {func(v *uplink.VerdictBody) { v.Since = 253402300800000 }, wire.Malformed},
		"over before all time":   {func(v *uplink.VerdictBody) { v.Over = -1 }, wire.Malformed},
		"ending without a time":  {func(v *uplink.VerdictBody) { v.Over = 0 }, wire.Malformed},
		"over without an ending": {func(v *uplink.VerdictBody) { v.Ending = "" }, wire.Malformed},
		"long ending":            {func(v *uplink.VerdictBody) { v.Ending = strings.Repeat("x", 33) }, wire.Malformed},
		"escape in an ending":    {func(v *uplink.VerdictBody) { v.Ending = "\x1b" }, wire.Malformed},
		"confidence 0":           {func(v *uplink.VerdictBody) { v.Confidence = 0 }, wire.Malformed},
		"confidence 101":         {func(v *uplink.VerdictBody) { v.Confidence = 101 }, wire.Malformed},
		"host without an id":     {func(v *uplink.VerdictBody) { v.Hosts = append(v.Hosts, tenancy.HostID{}) }, wire.Malformed},
		"evidence of no kind":    {func(v *uplink.VerdictBody) { v.Evidence[1].Kind = 0 }, wire.Malformed},
		"evidence of no time":    {func(v *uplink.VerdictBody) { v.Evidence[1].At = 0 }, wire.Malformed},
		"age of ages":            {func(v *uplink.VerdictBody) { v.Evidence[1].Age = -253402300800000 }, wire.Malformed},
		"evidence of too many":   {func(v *uplink.VerdictBody) { v.Evidence[1].Count = 1 << 63 }, wire.Malformed},
	} {
		change := verdictSample()
		c.spoil(change.Verdict)
		wantReason(t, name, change.Check(), c.want)
		if _, err := uplink.EncodeRecord(change); (err == nil) != (c.want == wire.Accepted) {
			t.Errorf("%s: encoding says %v", name, err)
		}
	}
	change := verdictSample()
	change.Verdict = nil
	wantReason(t, "no body", change.Check(), wire.Malformed)
	change = verdictSample()
	change.Kind = "os"
	wantReason(t, "verdict with a kind of facts", change.Check(), wire.Malformed)
	change = laterSamples()[0]
	change.Verdict = verdictSample().Verdict
	wantReason(t, "list with a verdict", change.Check(), wire.Malformed)
}

func TestSiteOrdersAndAnswersAreChecked(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*uplink.Orders)
		want  wire.Reason
	}{
		"whole":            {func(*uplink.Orders) {}, wire.Accepted},
		"short secret":     {func(o *uplink.Orders) { o.SiteSecret = fill(31, 1) }, wire.Malformed},
		"residency":        {func(o *uplink.Orders) { o.Policy.Residency = "moon" }, wire.Unsupported},
		"fast beat":        {func(o *uplink.Orders) { o.Policy.Beat = 1 }, wire.Malformed},
		"slow beat":        {func(o *uplink.Orders) { o.Policy.Beat = 60_001 }, wire.Malformed},
		"nameless place":   {func(o *uplink.Orders) { o.Policy.Places = map[string]string{"": "x"} }, wire.Malformed},
		"relay without id": {func(o *uplink.Orders) { o.Relays[0].ID = tenancy.RelayID{} }, wire.Malformed},
		"relay's key":      {func(o *uplink.Orders) { o.Relays[0].SignKey = fill(31, 1) }, wire.Malformed},
		"relay's address":  {func(o *uplink.Orders) { o.Relays[0].Serves = "a\nb" }, wire.Malformed},
		"too many relays":  {func(o *uplink.Orders) { o.Relays = slices.Repeat(o.Relays, uplink.MaxRelays+1) }, wire.TooLarge},
		"question's id":    {func(o *uplink.Orders) { o.Questions[0].ID = nil }, wire.Malformed},
		"question's kind":  {func(o *uplink.Orders) { o.Questions[0].Kind = "" }, wire.Malformed},
		"tenant's key":     {func(o *uplink.Orders) { o.TenantKey = fill(1216, 0xff) }, wire.Malformed},
		"short tenant key": {func(o *uplink.Orders) { o.TenantKey = fill(32, 1) }, wire.Malformed},
		"too many asked":   {func(o *uplink.Orders) { o.Questions = slices.Repeat(o.Questions, uplink.MaxQuestions+1) }, wire.TooLarge},
	} {
		o := siteOrders()
		c.spoil(&o)
		wantReason(t, name, o.Check(), c.want)
	}
	for name, c := range map[string]struct {
		spoil func(*uplink.Answer)
		want  wire.Reason
	}{
		"answer":             {func(*uplink.Answer) {}, wire.Accepted},
		"answer to nothing":  {func(a *uplink.Answer) { a.Question = nil }, wire.Malformed},
		"answer of no time":  {func(a *uplink.Answer) { a.Time = 0 }, wire.Malformed},
		"answer with escape": {func(a *uplink.Answer) { a.Detail = "\x1b" }, wire.Malformed},
		"long answer":        {func(a *uplink.Answer) { a.Body = make([]byte, uplink.MaxAnswer+1) }, wire.TooLarge},
	} {
		a := answer()
		c.spoil(&a)
		wantReason(t, name, a.Check(), c.want)
	}
}

func TestVerdictsSayWhatBecomesOfHosts(t *testing.T) {
	for kind, want := range map[uplink.VerdictKind]uplink.State{
		uplink.HostDown: uplink.Down, uplink.ProbeDown: uplink.AgentDown, uplink.ProbeUnresponsive: uplink.Unresponsive,
		uplink.HostShutDown: uplink.ShutDown, uplink.SwitchDown: uplink.Unreachable, uplink.ZoneDown: uplink.Unreachable,
		uplink.LinkDown: "", uplink.SiteCutOff: "", uplink.Clone: "", uplink.ClockStepped: "",
	} {
		if got, ok := kind.HostState(); got != want || ok != (want != "") {
			t.Errorf("%s makes hosts %q, %v; want %q", kind, got, ok, want)
		}
		if kind.Momentary() != (kind == uplink.ClockStepped) {
			t.Errorf("%s: momentary is %v", kind, kind.Momentary())
		}
	}
}

func TestEvidenceHasNames(t *testing.T) {
	names := map[string]bool{}
	for k := uplink.MissedBeats; k <= uplink.WitnessGone; k++ {
		if name := k.String(); names[name] || strings.HasPrefix(name, "evidence") {
			t.Errorf("evidence %d is called %q", uint8(k), name)
		} else {
			names[name] = true
		}
	}
	if name := uplink.EvidenceKind(200).String(); name != "evidence 200" {
		t.Errorf("evidence of the future is called %q", name)
	}
}
