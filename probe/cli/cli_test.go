package cli

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"assimilation/discovery"
	"assimilation/probe/internal/agent"
	"assimilation/probe/internal/status"
	"assimilation/tenancy"
)

// try runs one command line with an empty state directory.
func try(t *testing.T, stdin string, args ...string) (code int, out, errs string) {
	t.Helper()
	for _, name := range []string{"ASSIM_TOKEN", "ASSIM_TOKEN_FILE", "ASSIM_RELAY", "ASSIM_LISTEN", "ASSIM_LABELS"} {
		t.Setenv(name, "")
	}
	t.Setenv("ASSIM_STATE", filepath.Join(t.TempDir(), "s"))
	var o, e bytes.Buffer
	code = Main(t.Context(), args, Streams{strings.NewReader(stdin), &o, &e})
	return code, o.String(), e.String()
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{nil, exitUsage, "Commands:"},
		{[]string{"help"}, exitOK, "ASSIM_TOKEN_FILE"},
		{[]string{"fly"}, exitUsage, `no command "fly"`},
		{[]string{"run", "--wings"}, exitUsage, "see assim-probe run --help"},
		{[]string{"run", "--label", "rack"}, exitUsage, `label "rack" is not name=value`},
		{[]string{"run", "--label", "rack=" + strings.Repeat("r", 257)}, exitUsage, "labels cannot be sent: encode message 2: label value of 257 bytes"},
		{[]string{"status", "now"}, exitUsage, "takes no arguments"},
		{[]string{"facts", "-o", "xml"}, exitUsage, "readable or json"},
		{[]string{"facts", "nonsense"}, exitUsage, `no kind "nonsense"`},
		{[]string{"enrol"}, exitUsage, "needs a token"},
		{[]string{"status"}, exitWrong, "no probe is running"},
		{[]string{"version"}, exitOK, "assim-probe " + Version},
	} {
		code, out, errs := try(t, "", c.args...)
		if code != c.code || !strings.Contains(out+errs, c.want) {
			t.Errorf("%v: exit %d, %s%s", c.args, code, out, errs)
		}
	}
}

func TestEveryCommandHasHelpWithExamples(t *testing.T) {
	for _, c := range commands() {
		code, out, _ := try(t, "", c.name, "--help")
		if code != exitOK || !strings.Contains(out, "Examples:\n  ") || !strings.Contains(out, c.summary) {
			t.Errorf("%s --help: exit %d\n%s", c.name, code, out)
		}
	}
}

// What facts prints is what a fact is: the same bytes, the same hash.
func TestFactsPrintsWhatIsSent(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("no kind is collected on this system")
	}
	code, out, errs := try(t, "", "facts", "-o", "json", "os")
	if code != exitOK {
		t.Fatalf("exit %d: %s", code, errs)
	}
	var f printedFact
	if err := json.Unmarshal([]byte(out), &f); err != nil {
		t.Fatalf("%v in %q", err, out)
	}
	if f.Kind != "os" || f.Bytes != len(f.Body) || f.Hash != discovery.HashBody("os", f.Version, f.Body).String() {
		t.Errorf("%+v", f)
	}
	if code, out, _ = try(t, "", "facts", "os"); code != exitOK || !strings.Contains(out, f.Hash) {
		t.Errorf("readable: exit %d\n%s", code, out)
	}
}

func TestFactsTellsWhatTheyCost(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("no kind is collected on this system")
	}
	code, out, errs := try(t, "", "facts", "--cost", "-o", "json", "os", "network")
	if code != exitOK {
		t.Fatalf("exit %d: %s", code, errs)
	}
	for d := json.NewDecoder(strings.NewReader(out)); d.More(); {
		var c kindCost
		if err := d.Decode(&c); err != nil {
			t.Fatal(err)
		}
		if c.Facts != 1 || c.Bytes == 0 || c.Compressed == 0 || c.Compressed > c.Bytes+100 || c.CPU <= 0 || c.Wall <= 0 || c.Allocated == 0 {
			t.Errorf("%+v", c)
		}
	}
	_, out, _ = try(t, "", "facts", "--cost", "os", "network")
	for _, want := range []string{"compressed", "os", "network", "together  2"} {
		if !strings.Contains(strings.Join(strings.Fields(out), "  "), want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
}

func TestEnrolExitCodes(t *testing.T) {
	good := tenancy.NewToken(tenancy.EnrolToken, [32]byte{1}, "127.0.0.1:9").String()
	if code, _, errs := try(t, good[:40], "enrol"); code != exitRefused || !strings.Contains(errs, "malformed") {
		t.Errorf("damaged token: exit %d, %s", code, errs)
	}
	if code, _, errs := try(t, good, "enrol", "--wait", "0", "--listen", "127.0.0.1:0"); code != exitNobody {
		t.Errorf("no relay: exit %d, %s", code, errs)
	}
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("asm_api_\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := try(t, "", "enrol", "--token-file", file); code != exitRefused {
		t.Errorf("damaged token in a file: exit %d, %s", code, errs)
	}
}

func TestDoctorSaysWhatToDo(t *testing.T) {
	code, out, _ := try(t, "", "doctor")
	if code != exitWrong {
		t.Errorf("exit %d", code)
	}
	for _, want := range []string{"WRONG  token", "assim token create", "WRONG  probe", "systemctl start assim-probe"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

func TestLabels(t *testing.T) {
	for _, c := range []struct {
		name, environment string
		flags             []string
		want              map[string]string
		wrong             string
	}{
		{"none", "", nil, map[string]string{}, ""},
		{"environment", "zone=hall 2, rack=r17,", nil, map[string]string{"zone": "hall 2", "rack": "r17"}, ""},
		{"flags win", "zone=a,rack=r1", []string{"zone=b", "owner="}, map[string]string{"zone": "b", "rack": "r1", "owner": ""}, ""},
		{"value with a sign", "a=b=c", nil, map[string]string{"a": "b=c"}, ""},
		{"no name", "=x", nil, nil, `ASSIM_LABELS: label "=x" is not name=value`},
		{"no sign", "zone", nil, nil, `ASSIM_LABELS: label "zone" is not name=value`},
	} {
		t.Setenv("ASSIM_LABELS", c.environment)
		o := &options{labels: labels{}}
		for _, f := range c.flags {
			if err := o.labels.add(f); err != nil {
				t.Fatal(err)
			}
		}
		got, err := o.allLabels()
		if c.wrong != "" {
			if err == nil || err.Error() != c.wrong {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if err != nil || !maps.Equal(got, c.want) {
			t.Errorf("%s: %v, %v", c.name, got, err)
		}
	}
}

func TestStatusShowsNeighbours(t *testing.T) {
	var out bytes.Buffer
	o := &options{Streams: Streams{Out: &out}}
	r := status.Report{Status: agent.Status{StandIn: 1984, LateBeats: 3, Neighbours: []agent.Neighbour{
		{Peer: "5f0c", Address: "10.0.0.7:1984", State: "heard", Age: 310 * time.Millisecond, Sent: 90, Lost: 2},
		{Peer: "77aa", Relay: true, Address: "10.0.0.1:1984", State: "new", Age: 2 * time.Second},
	}}}
	o.printStatus(r, time.Now())
	for _, want := range []string{
		"heard: host 5f0c at 10.0.0.7:1984, last beat 310ms ago; 90 sent, 2 lost",
		"new: the relay at 10.0.0.1:1984, no beat for 2s; 0 sent, 0 lost",
		"1984, where the kernel answers",
		"3 of the last 16 were late",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}
