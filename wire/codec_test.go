package wire_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"

	"assimilation/wire"
)

// Generators of fields within their bounds.
var (
	text      = func(limit int) *rapid.Generator[string] { return rapid.StringN(0, -1, limit).Filter(printable) }
	bytesOf   = func(n int) *rapid.Generator[[]byte] { return rapid.SliceOfN(rapid.Byte(), n, n) }
	kind      = rapid.StringMatching(`[a-z][a-z0-9-]{0,31}`)
	unixMilli = rapid.Int64Range(0, wire.MaxTime)
	address   = rapid.Custom(func(t *rapid.T) []byte {
		ip := bytesOf(rapid.SampledFrom([]int{4, 16}).Draw(t, "size")).Draw(t, "ip")
		return binary.BigEndian.AppendUint16(ip, rapid.Uint16Min(1).Draw(t, "port"))
	})
	digest = rapid.Custom(func(t *rapid.T) wire.Digest {
		return wire.Digest{
			Kind:     kind.Draw(t, "kind"),
			Instance: text(wire.MaxInstance).Draw(t, "instance"),
			Hash:     bytesOf(wire.HashSize).Draw(t, "hash"),
			Version:  rapid.Uint8Min(1).Draw(t, "version"),
		}
	})
)

func printable(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < 0x20 || r >= 0x7f && r < 0xa0 }) < 0
}

// message draws any message that Marshal accepts.
var message = rapid.OneOf(
	rapid.Custom(func(t *rapid.T) wire.Message {
		return &wire.Enrol{
			TokenID:   rapid.StringMatching(`[0-9A-Za-z]{12}`).Draw(t, "token"),
			Secret:    bytesOf(wire.SecretSize).Draw(t, "secret"),
			HostName:  text(wire.MaxHostName).Draw(t, "host"),
			MachineID: rapid.OneOf(rapid.Just[[]byte](nil), bytesOf(wire.HashSize)).Draw(t, "machine"),
			Time:      unixMilli.Draw(t, "time"),
		}
	}),
	rapid.Custom(func(t *rapid.T) wire.Message {
		labels := rapid.MapOfN(text(wire.MaxLabelKey).Filter(func(s string) bool { return s != "" }), text(wire.MaxLabelValue), 0, wire.MaxLabels).Draw(t, "labels")
		if len(labels) == 0 {
			labels = nil // as it comes back
		}
		return &wire.Hello{
			AgentVersion: text(wire.MaxVersion).Draw(t, "version"),
			HostName:     text(wire.MaxHostName).Draw(t, "host"),
			OS:           text(wire.MaxPlatform).Draw(t, "os"),
			Arch:         text(wire.MaxPlatform).Draw(t, "arch"),
			Boot:         rapid.Uint64().Draw(t, "boot"),
			Time:         unixMilli.Draw(t, "time"),
			Labels:       labels,
			Listen:       rapid.Uint16().Draw(t, "listen"),
			Term:         rapid.Uint64Max(1<<53).Draw(t, "term"),
		}
	}),
	rapid.Custom(func(t *rapid.T) wire.Message {
		return &wire.Digests{
			Kinds: rapid.SliceOfN(kind, 0, wire.MaxKinds).Draw(t, "kinds"),
			Facts: rapid.SliceOfN(digest, 0, 100).Draw(t, "facts"),
		}
	}),
	rapid.Custom(func(t *rapid.T) wire.Message {
		return &wire.FactPut{
			Digest:     digest.Draw(t, "digest"),
			Body:       rapid.SliceOfN(rapid.Byte(), 1, 5000).Draw(t, "body"),
			ObservedAt: unixMilli.Draw(t, "time"),
		}
	}),
	rapid.Custom(func(t *rapid.T) wire.Message {
		return &wire.FactGone{Kind: kind.Draw(t, "kind"), Instance: text(wire.MaxInstance).Draw(t, "instance"), ObservedAt: unixMilli.Draw(t, "time")}
	}),
	rapid.Custom(func(t *rapid.T) wire.Message {
		return &wire.Problem{
			Kind:     kind.Draw(t, "kind"),
			Instance: text(wire.MaxInstance).Draw(t, "instance"),
			Reason:   wire.Reason(rapid.Uint16().Draw(t, "reason")),
			Detail:   text(wire.MaxDetail).Draw(t, "detail"),
		}
	}),
	rapid.Custom(func(t *rapid.T) wire.Message {
		return &wire.Goodbye{Cause: text(wire.MaxCause).Draw(t, "cause"), Time: unixMilli.Draw(t, "time")}
	}),
	rapid.Custom(func(t *rapid.T) wire.Message {
		return &wire.Enrolled{Host: bytesOf(wire.IDSize).Draw(t, "host")}
	}),
	rapid.Custom(func(t *rapid.T) wire.Message {
		kinds := rapid.SliceOfN(kind, 0, wire.MaxKinds).Draw(t, "kinds")
		if len(kinds) == 0 {
			kinds = nil // as it comes back
		}
		return &wire.Configure{
			Host:         bytesOf(wire.IDSize).Draw(t, "host"),
			Term:         rapid.Uint64().Draw(t, "term"),
			EchoInterval: rapid.Int64Range(wire.MinEchoInterval.Milliseconds(), wire.MaxEchoInterval.Milliseconds()).Draw(t, "echo"),
			Kinds:        kinds,
			Time:         unixMilli.Draw(t, "time"),
		}
	}),
	rapid.Custom(func(t *rapid.T) wire.Message {
		r := &wire.Report{
			Revision: rapid.Uint64().Draw(t, "revision"),
			Health:   rapid.Uint8().Draw(t, "health"),
			Stepped:  rapid.Int64Range(-wire.MaxTime, wire.MaxTime).Draw(t, "stepped"),
			Forged:   rapid.Uint64().Draw(t, "forged"),
			Replayed: rapid.Uint64().Draw(t, "replayed"),
			Stray:    rapid.Uint64().Draw(t, "stray"),
			Time:     unixMilli.Draw(t, "time"),
		}
		for range rapid.IntRange(0, wire.MaxEdges).Draw(t, "edges") {
			r.Edges = append(r.Edges, wire.EdgeReport{
				ID:    rapid.Uint32().Draw(t, "id"),
				State: wire.EdgeState(rapid.IntRange(int(wire.EdgeNew), int(wire.EdgeLeft)).Draw(t, "state")),
				Age:   unixMilli.Draw(t, "age"),
				Lost:  rapid.Uint64().Draw(t, "lost"),
			})
		}
		return r
	}),
	rapid.Custom(func(t *rapid.T) wire.Message {
		r := &wire.Ring{
			Revision: rapid.Uint64().Draw(t, "revision"),
			Beat:     rapid.Int64Range(wire.MinBeat.Milliseconds(), wire.MaxBeat.Milliseconds()).Draw(t, "beat"),
		}
		for i := range rapid.IntRange(0, wire.MaxEdges).Draw(t, "edges") {
			e := wire.Edge{ID: uint32(i), Peer: bytesOf(wire.IDSize).Draw(t, "peer"), Send: bytesOf(32).Draw(t, "send"), Receive: bytesOf(32).Draw(t, "receive")}
			if rapid.Bool().Draw(t, "elsewhere") {
				e.Address = address.Draw(t, "address")
			}
			r.Edges = append(r.Edges, e)
		}
		return r
	}),
	rapid.Custom(func(t *rapid.T) wire.Message {
		return &wire.Redirect{Address: address.Draw(t, "address"), Certificate: bytesOf(wire.CertificateSize).Draw(t, "certificate")}
	}),
	rapid.Custom(func(t *rapid.T) wire.Message {
		r := wire.Revocation{At: rapid.Int64Range(0, wire.MaxTime).Draw(t, "at")}
		for range rapid.IntRange(0, wire.MaxRevoked).Draw(t, "relays") {
			r.Relays = append(r.Relays, [wire.IDSize]byte(bytesOf(wire.IDSize).Draw(t, "relay")))
		}
		return &wire.Revoke{Revocation: r.Append(nil)}
	}),
	rapid.Custom(func(t *rapid.T) wire.Message {
		s := wire.KeyStatement{Sequence: rapid.Uint64Range(1, 1<<53).Draw(t, "sequence"), Alone: rapid.Bool().Draw(t, "alone"), Newest: [32]byte{1}}
		s.Former = [32]byte(bytesOf(32).Draw(t, "former"))
		s.ByNewest = [64]byte(bytesOf(64).Draw(t, "by newest"))
		if s.Newest == s.Former {
			s.Newest[0]++
		}
		return &wire.SiteKeys{Statement: s.Append(nil)}
	}),
	rapid.Custom(func(t *rapid.T) wire.Message {
		return &wire.Need{Facts: rapid.SliceOfN(digest, 0, 100).Draw(t, "facts")}
	}),
)

func TestDecodedIsWhatWasEncoded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := message.Draw(t, "message")
		b, err := wire.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		got, size, err := wire.UnmarshalSize(b)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, m) {
			t.Fatalf("\n got %#v\nwant %#v", got, m)
		}
		if size < len(b) {
			t.Fatalf("size %d of %d encoded bytes", size, len(b))
		}
		if again, err := wire.Marshal(got); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("encodes to %x, then to %x: %v", b, again, err)
		}
	})
}

func TestMarshalRefusesWhatUnmarshalWould(t *testing.T) {
	incompressible := make([]byte, wire.MaxBody+1)
	random := rand.NewChaCha8([32]byte{})
	random.Read(incompressible)
	tooMany := &wire.Digests{Facts: make([]wire.Digest, wire.MaxFacts+1)}
	for name, c := range map[string]struct {
		message wire.Message
		want    wire.Reason
	}{
		"fact over 8 MiB": {&wire.FactPut{Digest: wire.Digest{Kind: "a", Hash: make([]byte, 32), Version: 1}, Body: incompressible}, wire.TooLarge},
		"20,001 digests":  {tooMany, wire.TooLarge},
		"no host id":      {&wire.Enrolled{}, wire.Malformed},
		"bad UTF-8":       {&wire.Goodbye{Cause: "\xff"}, wire.Malformed},
	} {
		if _, err := wire.Marshal(c.message); wire.ReasonOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	largest := &wire.FactPut{Digest: wire.Digest{Kind: "a", Hash: make([]byte, 32), Version: 1}, Body: incompressible[:wire.MaxBody]}
	b, err := wire.Marshal(largest)
	if err != nil {
		t.Fatal(err)
	}
	if m, err := wire.Unmarshal(b); err != nil || !bytes.Equal(m.(*wire.FactPut).Body, largest.Body) {
		t.Errorf("the largest fact does not come back: %v", err)
	}
	if _, err := wire.Unmarshal(make([]byte, wire.MaxMessage+1)); wire.ReasonOf(err) != wire.TooLarge {
		t.Errorf("over MaxMessage: %v", err)
	}
}

func TestBombsAreTooLarge(t *testing.T) {
	streamed := func(n int) []byte { // without the size in the frame's header
		var b bytes.Buffer
		b.Write([]byte{7, 1})
		e, err := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		chunk := make([]byte, 1<<20)
		for range n >> 20 {
			if _, err := e.Write(chunk); err != nil {
				t.Fatal(err)
			}
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	half := bomb(t, 5<<20)
	for name, b := range map[string][]byte{
		"one frame":           bomb(t, 9<<20),
		"one streamed frame":  streamed(64 << 20),
		"many frames":         append(bytes.Clone(half), half[2:]...),
		"many streamed frame": append(streamed(5<<20), streamed(5 << 20)[2:]...),
	} {
		if len(b) > 64<<10 {
			t.Fatalf("%s: %d bytes are no bomb", name, len(b))
		}
		if _, err := wire.Unmarshal(b); wire.ReasonOf(err) != wire.TooLarge {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// bomb is a goodbye that decompresses to n zero bytes.
func bomb(t testing.TB, n int) []byte {
	t.Helper()
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	return e.EncodeAll(make([]byte, n), []byte{7, 1})
}

func TestReasonOf(t *testing.T) {
	_, err := wire.PacketType([]byte{1, 9})
	for _, c := range []struct {
		err  error
		want wire.Reason
	}{
		{nil, wire.Accepted},
		{err, wire.Unsupported},
		{errors.Join(errors.New("x"), err), wire.Unsupported},
		{errors.New("x"), wire.Malformed},
	} {
		if got := wire.ReasonOf(c.err); got != c.want {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}

func TestReceiverIndex(t *testing.T) {
	for _, c := range []struct {
		name string
		b    []byte
		want uint32
		bad  bool
	}{
		{"transport", []byte{6, 1, 1, 2, 3, 4}, 0x01020304, false},
		{"cookie reply", []byte{5, 1, 1, 2, 3, 4}, 0x01020304, false},
		{"handshake 2", []byte{4, 1, 9, 9, 9, 9, 1, 2, 3, 4}, 0x01020304, false},
		{"transport, cut", []byte{6, 1, 1, 2, 3}, 0, true},
		{"handshake 2, cut", []byte{4, 1, 9, 9, 9, 9, 1, 2, 3}, 0, true},
		{"handshake 1", []byte{3, 1, 1, 2, 3, 4, 5, 6, 7, 8}, 0, true},
		{"announce", wire.Announce{}.Append(nil), 0, true},
		{"unknown", []byte{77, 1, 1, 2, 3, 4}, 0, true},
	} {
		if got, err := wire.ReceiverIndex(c.b); got != c.want || (err != nil) != c.bad {
			t.Errorf("%s: %x, %v", c.name, got, err)
		}
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, m := range messages() {
		b, err := wire.Marshal(m.message)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add(bomb(f, 1<<20))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := wire.Unmarshal(b)
		if err != nil {
			return
		}
		again, err := wire.Marshal(m)
		if err != nil {
			t.Fatalf("accepted, but cannot be sent: %v", err)
		}
		if n, err := wire.Unmarshal(again); err != nil || !reflect.DeepEqual(reencoded(t, n), reencoded(t, m)) {
			t.Fatalf("%#v became %#v, %v", m, n, err)
		}
	})
}

// reencoded is a message's canonical bytes: absent and empty lists are equal.
func reencoded(t *testing.T, m wire.Message) []byte {
	t.Helper()
	b, err := wire.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func FuzzAnnounce(f *testing.F) {
	f.Add(wire.Announce{Reason: wire.Expired, SiteHint: [8]byte{1}}.Append(nil))
	f.Add(make([]byte, wire.AnnounceSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := wire.ParseAnnounce(b)
		if err != nil {
			return
		}
		if again, err := wire.ParseAnnounce(a.Append(nil)); err != nil || again != a {
			t.Fatalf("%+v became %+v, %v", a, again, err)
		}
	})
}

func FuzzAnnounceReply(f *testing.F) {
	f.Add(wire.AnnounceReply{Flags: 1, Nonce: [8]byte{2}, Certificate: certificate()}.Append(nil))
	f.Add(make([]byte, wire.AnnounceSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := wire.ParseAnnounceReply(b)
		if err == nil && !bytes.Equal(r.Append(nil), b) {
			t.Fatalf("%x became %x", b, r.Append(nil))
		}
	})
}

func FuzzCertificate(f *testing.F) {
	f.Add(certificate().Append(nil))
	f.Add(make([]byte, wire.CertificateSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := wire.ParseCertificate(b)
		if err == nil && !bytes.Equal(c.Append(nil), b) {
			t.Fatalf("%x became %x", b, c.Append(nil))
		}
	})
}

func FuzzRevocation(f *testing.F) {
	f.Add(revocation().Append(nil))
	f.Add(wire.Revocation{}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := wire.ParseRevocation(b)
		if err == nil && !bytes.Equal(r.Append(nil), b) {
			t.Fatalf("%x became %x", b, r.Append(nil))
		}
	})
}

func FuzzKeyStatement(f *testing.F) {
	f.Add(statement(false).Append(nil))
	f.Add(statement(true).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := wire.ParseKeyStatement(b)
		if err == nil && !bytes.Equal(s.Append(nil), b) {
			t.Fatalf("%x became %x", b, s.Append(nil))
		}
	})
}

// benchmarkFact is a FactPut with a body of 700 bytes of JSON.
func benchmarkFact() *wire.FactPut {
	body := `{"services":[` + strings.Repeat(`{"exe":"/usr/sbin/nginx","listens":[{"ip":"10.0.0.5","port":443}],"user":"www-data"},`, 9)
	return &wire.FactPut{
		Digest:     wire.Digest{Kind: "sockets", Hash: make([]byte, wire.HashSize), Version: 1},
		Body:       []byte(body[:700]),
		ObservedAt: 1_770_000_000_000,
	}
}

func BenchmarkMarshalFact(b *testing.B) {
	m := benchmarkFact()
	for b.Loop() {
		if _, err := wire.Marshal(m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnmarshalFact(b *testing.B) {
	encoded, err := wire.Marshal(benchmarkFact())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := wire.Unmarshal(encoded); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(encoded)), "B/message")
}
