package wire_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"assimilation/wire"
)

func TestMessageVectors(t *testing.T) {
	var made []vector
	for _, c := range messages() {
		b, err := wire.Marshal(c.message)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		v := vector{name: c.name, expect: accept, hex: hex.EncodeToString(b)}
		if b[1] != 0 {
			t.Fatalf("%s is compressed: it belongs to the others", c.name)
		}
		v.fields = diagnose(t, b[2:])
		got, err := wire.Unmarshal(v.bytes(t))
		if err != nil || !reflect.DeepEqual(got, c.message) {
			t.Errorf("%s:\n got %+v, %v\nwant %+v", c.name, got, err, c.message)
		}
		made = append(made, v)
	}
	checkVectors(t, "messages.txt", "Messages that every receiver accepts; fields in the diagnostic notation of RFC 8949.", made)
}

func diagnose(t *testing.T, encoded []byte) string {
	t.Helper()
	text, err := cbor.Diagnose(encoded)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestRefusedMessageVectors(t *testing.T) {
	parse := func(b []byte) error { _, err := wire.Unmarshal(b); return err }
	var made []vector
	for _, c := range refusedMessages(t) {
		expect := refusal(c.encoded, parse)
		if expect == accept && !c.accepted {
			t.Errorf("%s is accepted", c.name)
		}
		v := vector{name: c.name, expect: expect, hex: hex.EncodeToString(c.encoded)}
		if len(c.encoded) > 2 && c.encoded[1] == 0 {
			v.fields = c.about
		}
		made = append(made, v)
	}
	checkVectors(t, "refused-messages.txt", "Encoded messages and the reason with which a receiver refuses them; some that it must not refuse.", made)
}

// TestCompressedMessageVectors keeps one encoding without the dictionary and one
// with it. Both must stay readable; a compressor may choose another.
func TestCompressedMessageVectors(t *testing.T) {
	m := &wire.FactPut{
		Digest:     wire.Digest{Kind: "packages", Instance: "3", Hash: sequence(0, 32), Version: 1},
		Body:       []byte(`{"packages":[` + strings.Repeat(`{"architecture":"amd64","name":"libc6","version":"2.36-9"},`, 40) + `{}]}`),
		ObservedAt: 1_770_000_000_000,
	}
	encoded, err := wire.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		checkVectors(t, "dictionary-message.txt", "A FactPut compressed with dictionary 1.",
			[]vector{{"fact", decodeOnly, "body is 40 like packages", hex.EncodeToString(encoded)}})
	}
	for file, flags := range map[string]byte{"compressed-message.txt": 1, "dictionary-message.txt": 3} {
		text, err := os.ReadFile(filepath.Join("testdata", "vectors", file))
		if err != nil {
			t.Fatal(err)
		}
		_, digits, _ := strings.Cut(string(text), "hex: ")
		kept, err := hex.DecodeString(strings.TrimSpace(digits))
		if err != nil {
			t.Fatal(err)
		}
		got, err := wire.Unmarshal(kept)
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%s: %+v, %v", file, got, err)
		}
		if kept[1] != flags {
			t.Errorf("%s has flags %d", file, kept[1])
		}
		if len(encoded) > 2*len(kept) || encoded[1] != 3 {
			t.Errorf("encodes to %d bytes with flags %d now, %d bytes in %s", len(encoded), encoded[1], len(kept), file)
		}
		other := edited(kept, 1, flags^2)
		if _, err := wire.Unmarshal(other); wire.ReasonOf(err) != wire.Malformed {
			t.Errorf("%s with the other flag: %v", file, err)
		}
	}
}

// The dictionary is a part of the format.
func TestDictionaryIsTheSpecifiedOne(t *testing.T) {
	text, err := os.ReadFile("dictionary1.txt")
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%x", sha256.Sum256(text)); got != "f4deffdf68c4cf57e5e962e38cbaab8ac8ed0afc95ed2992bdedf2dd8b1e66f2" {
		t.Errorf("the dictionary's hash is %s", got)
	}
}

// named is a message with the name of its vector.
type named struct {
	name    string
	message wire.Message
}

func messages() []named {
	digest := wire.Digest{Kind: "os", Hash: sequence(0, 32), Version: 1}
	set := wire.Digest{Kind: "packages", Instance: "15", Hash: sequence(0x20, 32), Version: 2}
	return []named{
		{"enrol", &wire.Enrol{TokenID: "0123456789Az", Secret: sequence(1, 20), HostName: "db-1.example", MachineID: sequence(0x60, 32), Time: 1_770_000_000_000}},
		{"enrol without a machine id", &wire.Enrol{TokenID: "abcdefghijkl", Secret: sequence(1, 20)}},
		{"hello", &wire.Hello{AgentVersion: "0.1.0", HostName: "db-1", OS: "linux", Arch: "amd64", Boot: 1<<64 - 1, Time: 1_770_000_000_000,
			Labels: map[string]string{"rack": "r 7", "env": "prod", "größe": "ü"}}},
		{"hello with a TCP port", &wire.Hello{AgentVersion: "0.1.0", HostName: "db-1", OS: "linux", Arch: "amd64", Boot: 1, Time: 1, Listen: 1984}},
		{"hello with a term", &wire.Hello{AgentVersion: "0.1.0", HostName: "db-1", OS: "linux", Arch: "amd64", Boot: 1, Time: 1, Term: 1 << 53}},
		{"hello with site keys", &wire.Hello{AgentVersion: "0.1.0", HostName: "db-1", OS: "linux", Arch: "amd64", Boot: 1, Time: 1, SiteKeys: 1 << 53}},
		{"hello without labels", &wire.Hello{AgentVersion: "0.1.0", HostName: "db-1", OS: "linux", Arch: "arm64", Boot: 1, Time: 0}},
		{"digests", &wire.Digests{Kinds: []string{"os", "packages"}, Facts: []wire.Digest{digest, set}}},
		{"fact put", &wire.FactPut{Digest: digest, Body: []byte(`{"id":"debian","version":"13"}`), ObservedAt: 1_770_000_000_000}},
		{"fact gone", &wire.FactGone{Kind: "packages", Instance: "15", ObservedAt: 253_402_300_799_999}},
		{"problem", &wire.Problem{Kind: "sockets", Reason: wire.MissingRight, Detail: "needs CAP_SYS_PTRACE"}},
		{"problem withdrawn", &wire.Problem{Kind: "x-backup", Instance: "a/b"}},
		{"goodbye", &wire.Goodbye{Cause: "signal", Time: 1_770_000_000_000}},
		{"enrolled", &wire.Enrolled{Host: sequence(0x30, 16)}},
		{"configure", &wire.Configure{Host: sequence(0x30, 16), Term: 3, EchoInterval: 30_000, Kinds: []string{"os", "x-backup"}, Time: 1_770_000_000_000}},
		{"configure with all kinds", &wire.Configure{Host: sequence(0x30, 16), EchoInterval: 100, Time: 1}},
		{"need", &wire.Need{Facts: []wire.Digest{set}}},
		{"report", &wire.Report{Revision: 3, Edges: []wire.EdgeReport{
			{ID: 7, State: wire.EdgeMissed, Age: 2_600, Lost: 4}, {ID: 1<<32 - 1, State: wire.EdgeHeard, Age: 312},
		}, Health: 16, Stepped: -3_600_000, Forged: 1, Replayed: 2, Stray: 3, Time: 1_770_000_000_000}},
		{"report before a ring", &wire.Report{Edges: []wire.EdgeReport{{ID: 7, State: wire.EdgeLeft}}}},
		{"report of no edges", &wire.Report{Revision: 1, Time: 1}},
		{"ring", &wire.Ring{Revision: 1, Beat: 1_000, Edges: []wire.Edge{
			{ID: 7, Peer: sequence(0x10, 16), Address: []byte{192, 0, 2, 1, 0x07, 0xc0}, Send: sequence(0x40, 32), Receive: sequence(0x60, 32)},
		}}},
		{"ring of nobody", &wire.Ring{Revision: 1<<64 - 1, Beat: 10_000}},
		{"redirect", &wire.Redirect{Address: []byte{192, 0, 2, 2, 0x07, 0xc0}, Certificate: certificate().Append(nil)}},
		{"revoke", &wire.Revoke{Revocation: revocation().Append(nil)}},
		{"site keys", &wire.SiteKeys{Statement: statement(false).Append(nil)}},
		{"one site key", &wire.SiteKeys{Statement: statement(true).Append(nil)}},
	}
}

type refusedMessage struct {
	name, about string
	encoded     []byte
	accepted    bool // in spite of its oddity
}

// refusedMessages builds what no Marshal makes, by hand or from maps.
func refusedMessages(t *testing.T) []refusedMessage {
	t.Helper()
	mode, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		t.Fatal(err)
	}
	var all []refusedMessage
	raw := func(name string, b ...byte) { all = append(all, refusedMessage{name: name, encoded: b}) }
	of := func(name string, kind wire.MessageType, fields map[int]any) {
		body, err := mode.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, refusedMessage{name: name, encoded: append([]byte{byte(kind), 0}, body...)})
	}
	with := func(fields map[int]any, key int, value any) map[int]any {
		changed := map[int]any{}
		for k, v := range fields {
			changed[k] = v
		}
		changed[key] = value
		return changed
	}
	raw("empty")
	raw("type only", 1)
	raw("no body", 1, 0)
	raw("type 0", 0, 0, 0xa0)
	raw("unknown type", 63, 0, 0xa0)
	raw("unknown flag", 7, 4, 0xa0)
	raw("dictionary without compression", 7, 2, 0xa0)
	raw("body is no map", 7, 0, 0x01)
	raw("bytes after the map", 7, 0, 0xa1, 0x02, 0x00, 0x00)
	raw("cut map", 7, 0, 0xa2, 0x02, 0x00)
	raw("duplicate key", 7, 0, 0xa2, 0x02, 0x00, 0x02, 0x01)
	raw("indefinite map", 7, 0, 0xbf, 0x02, 0x00, 0xff)
	raw("indefinite text", 7, 0, 0xa1, 0x01, 0x7f, 0x61, 0x61, 0xff)
	raw("tagged time", 7, 0, 0xa1, 0x02, 0xc1, 0x00)
	raw("text is not UTF-8", 7, 0, 0xa1, 0x01, 0x61, 0xff)
	raw("time is a float", 7, 0, 0xa1, 0x02, 0xf9, 0x3e, 0x00)
	raw("time is text", 7, 0, 0xa1, 0x02, 0x61, 0x31)
	raw("nested too deep", append([]byte{7, 0, 0xa1, 0x18, 0x63}, append(bytes.Repeat([]byte{0x81}, 9), 0)...)...)
	raw("array announces 2^40 elements", 66, 0, 0xa1, 0x01, 0x9b, 0, 0, 1, 0, 0, 0, 0, 0)
	raw("array announces 20,001 elements", 66, 0, 0xa1, 0x01, 0x99, 0x4e, 0x21)
	raw("bytes announce 2^40", 64, 0, 0xa1, 0x01, 0x5b, 0, 0, 1, 0, 0, 0, 0, 0)
	raw("compressed nonsense", 7, 1, 1, 2, 3, 4)
	raw("compressed and cut", 7, 1, 0x28, 0xb5, 0x2f, 0xfd)
	raw("dictionary in the flags, none in the frame", 7, 3, 0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x01, 0x09, 0x00, 0x00, 0xa0)
	raw("dictionary 1 in the frame, none in the flags", 7, 1, 0x28, 0xb5, 0x2f, 0xfd, 0x21, 0x01, 0x01, 0x09, 0x00, 0x00, 0xa0)
	raw("dictionary 2", 7, 3, 0x28, 0xb5, 0x2f, 0xfd, 0x21, 0x02, 0x01, 0x09, 0x00, 0x00, 0xa0)
	all = append(all, refusedMessage{name: "not shrunk, in a frame", encoded: []byte{7, 1, 0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x01, 0x09, 0x00, 0x00, 0xa0}, accepted: true})
	all = append(all, refusedMessage{name: "not shrunk, in a frame with dictionary 1", encoded: []byte{7, 3, 0x28, 0xb5, 0x2f, 0xfd, 0x21, 0x01, 0x01, 0x09, 0x00, 0x00, 0xa0}, accepted: true})
	all = append(all, refusedMessage{name: "claims to expand to 2^62 bytes", encoded: []byte{7, 1, 0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0x40, 1, 0, 0}})
	all = append(all, refusedMessage{name: "unknown key is ignored", encoded: []byte{7, 0, 0xa2, 0x02, 0x00, 0x18, 0x63, 0xf6}, accepted: true})
	all = append(all, refusedMessage{name: "empty goodbye", encoded: []byte{7, 0, 0xa0}, accepted: true})

	enrol := map[int]any{1: "0123456789Az", 2: sequence(0, 20), 3: "h", 5: 1}
	of("enrol: token id short", wire.TypeEnrol, with(enrol, 1, "0123456789A"))
	of("enrol: token id with a line end", wire.TypeEnrol, with(enrol, 1, "0123456789A\n"))
	of("enrol: secret short", wire.TypeEnrol, with(enrol, 2, sequence(0, 19)))
	of("enrol: secret long", wire.TypeEnrol, with(enrol, 2, sequence(0, 21)))
	of("enrol: no secret", wire.TypeEnrol, map[int]any{1: "0123456789Az", 3: "h", 5: 1})
	of("enrol: host name long", wire.TypeEnrol, with(enrol, 3, strings.Repeat("h", 256)))
	of("enrol: host name with an escape", wire.TypeEnrol, with(enrol, 3, "h\x1b[2J"))
	of("enrol: host name with NUL", wire.TypeEnrol, with(enrol, 3, "h\x00"))
	of("enrol: machine id short", wire.TypeEnrol, with(enrol, 4, sequence(0, 31)))
	of("enrol: machine id empty", wire.TypeEnrol, with(enrol, 4, []byte{}))
	of("enrol: time negative", wire.TypeEnrol, with(enrol, 5, -1))
	of("enrol: time after 9999", wire.TypeEnrol, with(enrol, 5, int64(wire.MaxTime)+1))
	of("enrol: time over 63 bits", wire.TypeEnrol, with(enrol, 5, uint64(1<<63)))

	hello := map[int]any{1: "v", 2: "h", 3: "linux", 4: "amd64", 5: 1, 6: 1}
	labels := map[string]string{}
	for i := range 33 {
		labels[fmt.Sprint(i)] = ""
	}
	of("hello: version long", wire.TypeHello, with(hello, 1, strings.Repeat("v", 65)))
	of("hello: system long", wire.TypeHello, with(hello, 3, strings.Repeat("v", 33)))
	of("hello: architecture with a line end", wire.TypeHello, with(hello, 4, "amd64\n"))
	of("hello: boot negative", wire.TypeHello, with(hello, 5, -1))
	of("hello: 33 labels", wire.TypeHello, with(hello, 7, labels))
	of("hello: label without a name", wire.TypeHello, with(hello, 7, map[string]string{"": "x"}))
	of("hello: label name long", wire.TypeHello, with(hello, 7, map[string]string{strings.Repeat("k", 65): "x"}))
	of("hello: label value long", wire.TypeHello, with(hello, 7, map[string]string{"k": strings.Repeat("v", 257)}))
	of("hello: label is a number", wire.TypeHello, with(hello, 7, map[string]int{"k": 1}))

	digest := map[int]any{1: "os", 2: "", 3: sequence(0, 32), 4: 1}
	need := func(name string, d map[int]any) { of("need: "+name, wire.TypeNeed, map[int]any{1: []any{d}}) }
	need("kind empty", with(digest, 1, ""))
	need("kind upper case", with(digest, 1, "Os"))
	need("kind with a slash", with(digest, 1, "a/b"))
	need("kind begins with a digit", with(digest, 1, "1a"))
	need("kind long", with(digest, 1, strings.Repeat("k", 33)))
	need("instance long", with(digest, 2, strings.Repeat("i", 129)))
	need("instance with a tab", with(digest, 2, "a\tb"))
	need("hash short", with(digest, 3, sequence(0, 31)))
	need("hash absent", map[int]any{1: "os", 4: 1})
	need("version 0", with(digest, 4, 0))
	need("version 256", with(digest, 4, 256))
	of("digests: 257 kinds", wire.TypeDigests, map[int]any{1: slices.Repeat([]string{"os"}, 257)})
	of("digests: bad kind", wire.TypeDigests, map[int]any{1: []string{"os", "-"}})

	fact := with(with(digest, 5, []byte("{}")), 6, 1)
	of("fact put: no body", wire.TypeFactPut, with(digest, 6, 1))
	of("fact put: body is text", wire.TypeFactPut, with(fact, 5, "{}"))
	of("fact put: hash short", wire.TypeFactPut, with(fact, 3, sequence(0, 31)))
	of("fact put: time negative", wire.TypeFactPut, with(fact, 6, -5))
	of("fact gone: no kind", wire.TypeFactGone, map[int]any{2: "", 3: 1})
	of("problem: detail long", wire.TypeProblem, map[int]any{1: "os", 2: "", 3: 14, 4: strings.Repeat("d", 1025)})
	of("problem: detail of two lines", wire.TypeProblem, map[int]any{1: "os", 2: "", 3: 14, 4: "a\nb"})
	of("problem: reason over 16 bits", wire.TypeProblem, map[int]any{1: "os", 2: "", 3: 65536, 4: ""})
	of("goodbye: cause long", wire.TypeGoodbye, map[int]any{1: strings.Repeat("c", 65), 2: 1})
	of("enrolled: id short", wire.TypeEnrolled, map[int]any{1: sequence(0, 15)})
	configure := map[int]any{1: sequence(0, 16), 2: 1, 3: 30_000, 5: 1}
	of("configure: id long", wire.TypeConfigure, with(configure, 1, sequence(0, 17)))
	of("configure: echo too often", wire.TypeConfigure, with(configure, 3, 99))
	of("configure: echo too seldom", wire.TypeConfigure, with(configure, 3, 3_600_001))
	of("configure: bad kind", wire.TypeConfigure, with(configure, 4, []string{""}))

	of("hello: TCP port over 16 bits", wire.TypeHello, with(hello, 8, 65536))
	of("hello: term that nobody reaches", wire.TypeHello, with(hello, 9, 1<<53+1))
	edge := map[int]any{1: 7, 2: sequence(0, 16), 3: []byte{192, 0, 2, 1, 7, 0xc0}, 4: sequence(0, 32), 5: sequence(0, 32)}
	ring := map[int]any{1: 1, 2: 1000, 3: []any{edge}}
	of("ring: beat too often", wire.TypeRing, with(ring, 2, 499))
	of("ring: beat too seldom", wire.TypeRing, with(ring, 2, 10_001))
	of("ring: no beat", wire.TypeRing, map[int]any{1: 1})
	of("ring: an edge twice", wire.TypeRing, with(ring, 3, []any{edge, edge}))
	many := []any{}
	for i := range 9 {
		many = append(many, with(edge, 1, i))
	}
	of("ring: 9 edges", wire.TypeRing, with(ring, 3, many))
	bad := func(name string, key int, value any) {
		of("ring: "+name, wire.TypeRing, with(ring, 3, []any{with(edge, key, value)}))
	}
	bad("edge over 32 bits", 1, 1<<32)
	bad("peer short", 2, sequence(0, 15))
	bad("address without a port", 3, []byte{192, 0, 2, 1})
	bad("address with port 0", 3, []byte{192, 0, 2, 1, 0, 0})
	bad("address of 7 bytes", 3, sequence(1, 7))
	bad("send key short", 4, sequence(0, 31))
	bad("receive key long", 5, sequence(0, 33))

	state := map[int]any{1: 7, 2: 2, 3: 100}
	report := map[int]any{1: 1, 2: []any{state}, 8: 1}
	of("report: 9 edges", wire.TypeReport, with(report, 2, slices.Repeat([]any{state}, 9)))
	of("report: state 0", wire.TypeReport, with(report, 2, []any{with(state, 2, 0)}))
	of("report: state 6", wire.TypeReport, with(report, 2, []any{with(state, 2, 6)}))
	of("report: age negative", wire.TypeReport, with(report, 2, []any{with(state, 3, -1)}))
	of("report: age of 8000 years", wire.TypeReport, with(report, 2, []any{with(state, 3, int64(wire.MaxTime)+1)}))
	of("report: lost negative", wire.TypeReport, with(report, 2, []any{with(state, 4, -1)}))
	of("report: health over 8 bits", wire.TypeReport, with(report, 3, 256))
	of("report: clock step of 8000 years", wire.TypeReport, with(report, 4, -int64(wire.MaxTime)-1))
	of("report: time negative", wire.TypeReport, with(report, 8, -1))

	redirect := map[int]any{1: []byte{192, 0, 2, 1, 7, 0xc0}, 2: certificate().Append(nil)}
	of("redirect: no address", wire.TypeRedirect, map[int]any{2: certificate().Append(nil)})
	of("redirect: port 0", wire.TypeRedirect, with(redirect, 1, []byte{192, 0, 2, 1, 0, 0}))
	of("redirect: certificate short", wire.TypeRedirect, with(redirect, 2, certificate().Append(nil)[:144]))
	of("revoke: cut short", wire.TypeRevoke, map[int]any{1: revocation().Append(nil)[:73]})
	of("revoke: a relay too few", wire.TypeRevoke, map[int]any{1: edited(revocation().Append(nil), 9, 3)})
	of("revoke: 65 relays", wire.TypeRevoke, map[int]any{1: wire.Revocation{Relays: make([][16]byte, 65)}.Append(nil)})
	of("revoke: version 2", wire.TypeRevoke, map[int]any{1: edited(revocation().Append(nil), 0, 2)})
	of("revoke: before 1970", wire.TypeRevoke, map[int]any{1: wire.Revocation{At: -1}.Append(nil)})
	two, one := statement(false).Append(nil), statement(true).Append(nil)
	of("site keys: cut short", wire.TypeSiteKeys, map[int]any{1: two[:201]})
	of("site keys: version 2", wire.TypeSiteKeys, map[int]any{1: edited(two, 0, 2)})
	of("site keys: sequence 0", wire.TypeSiteKeys, map[int]any{1: edited(two, 1, make([]byte, 8)...)})
	of("site keys: too great a sequence", wire.TypeSiteKeys, map[int]any{1: edited(two, 1, 0xff)})
	of("site keys: two, but alone", wire.TypeSiteKeys, map[int]any{1: edited(two, 9, 1)})
	of("site keys: one, but not alone", wire.TypeSiteKeys, map[int]any{1: edited(one, 9, 0)})
	of("site keys: alone twice", wire.TypeSiteKeys, map[int]any{1: edited(one, 9, 2)})
	of("site keys: a key that follows itself", wire.TypeSiteKeys, map[int]any{1: edited(two, 42, two[10:42]...)})
	return all
}
