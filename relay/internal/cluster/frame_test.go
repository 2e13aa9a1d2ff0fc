package cluster

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"strings"
	"testing"

	"assimilation/tenancy"
	"assimilation/uplink"
)

func aNote() note {
	return note{
		ID: tenancy.NewID[tenancy.HostID](), ProbeKey: make([]byte, 32), Name: "web-1", Token: "abc", TokenLabels: map[string]string{"env": "prod"},
		State: uplink.Up, StateAt: 5, EnrolledAt: 4, Term: 9, Address: "10.0.0.1:1984", Domain: "switch 1",
	}
}

func samples() []frame {
	return []frame{
		{Beat: true},
		{Leaving: true},
		{Listed: true},
		{Told: &told{7, 3, make([]byte, 32)}},
		{Have: &have{Epoch: 7, Last: 5, Chain: make([]byte, 32), Refused: "full"}},
		{Records: &records{7, 4, make([]byte, 32), [][]byte{{1, 2}, {3}}}},
		{Hosts: []note{aNote()}},
	}
}

func TestFramesComeBackAsTheyWent(t *testing.T) {
	var stream bytes.Buffer
	for _, f := range samples() {
		encoded, err := encodeFrame(f)
		if err != nil {
			t.Fatal(err)
		}
		stream.Write(encoded)
	}
	for _, want := range samples() {
		got, err := readFrame(&stream)
		if len(want.Hosts) > 0 {
			want.Hosts[0].ID = got.Hosts[0].ID
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
	}
}

func TestFramesAreBounded(t *testing.T) {
	host := func(change func(*note)) frame {
		n := aNote()
		change(&n)
		return frame{Hosts: []note{n}}
	}
	for name, f := range map[string]frame{
		"position without a chain": {Told: &told{7, 3, nil}},
		"epoch 0":                  {Told: &told{0, 3, make([]byte, 32)}},
		"no records":               {Records: &records{7, 1, make([]byte, 32), nil}},
		"record 0":                 {Records: &records{7, 0, make([]byte, 32), [][]byte{{1}}}},
		"empty record":             {Records: &records{7, 1, make([]byte, 32), [][]byte{{}}}},
		"record too long":          {Records: &records{7, 1, make([]byte, 32), [][]byte{make([]byte, uplink.MaxRecord+1)}}},
		"too many records":         {Records: &records{7, 1, make([]byte, 32), make([][]byte, maxRecords+1)}},
		"too many hosts":           {Hosts: make([]note, maxHosts+1)},
		"a host without a key":     host(func(n *note) { n.ProbeKey = nil }),
		"a host without a name":    host(func(n *note) { n.Name = "" }),
		"a host without a term":    host(func(n *note) { n.Term = 0 }),
		"a term beyond all":        host(func(n *note) { n.Term = 1 << 63 }),
		"an unknown state":         host(func(n *note) { n.State = "fine" }),
		"text too long":            host(func(n *note) { n.Domain = strings.Repeat("x", maxText+1) }),
		"text that is not plain":   host(func(n *note) { n.Name = "a\x1b[2J" }),
		"labels too long":          host(func(n *note) { n.Labels = map[string]string{"": "x"} }),
	} {
		if _, err := encodeFrame(f); !errors.Is(err, errMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := readFrame(bytes.NewReader(binary.BigEndian.AppendUint32(nil, maxFrame+1))); !errors.Is(err, errMalformed) {
		t.Errorf("too long: %v", err)
	}
	if _, err := readFrame(bytes.NewReader([]byte{0, 0, 0, 9, 1})); err == nil {
		t.Error("a frame that is cut was read")
	}
}

func FuzzFrame(f *testing.F) {
	for _, s := range samples() {
		encoded, err := encodeFrame(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(encoded)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		read, err := readFrame(bytes.NewReader(b))
		if err != nil {
			return
		}
		if _, err := encodeFrame(read); err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
	})
}
