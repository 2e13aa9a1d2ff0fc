package cdp_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"assimilation/discovery"
	"assimilation/discovery/internal/cdp"
	"assimilation/discovery/internal/framestest"
	"assimilation/discovery/switchport"
)

const source = "02:00:00:00:01:11"

func full() []byte {
	return framestest.CDP(source, 2, 180,
		framestest.CDPText(1, "r1.lab.example(SN1)"),
		framestest.CDPTLV(2, append([]byte{0, 0, 0, 2, 1, 1, 0xcc, 0, 4, 10, 0, 0, 1, 2, 8, 0xaa, 0xaa, 3, 0, 0, 0, 0x86, 0xdd, 0, 16}, framestest.IP("2001:db8::1")...)...),
		framestest.CDPText(3, "FastEthernet0/1"),
		framestest.CDPTLV(4, 0, 0, 0, 0x2b),
		framestest.CDPText(5, "LabOS\nVersion 12"),
		framestest.CDPText(6, "lab 2950"),
		framestest.CDPText(9, "DOMAIN"),
		framestest.CDPTLV(0x0a, 0, 77),
		framestest.CDPTLV(0x0b, 1),
		framestest.CDPTLV(0x0e, 1, 0, 7),
		framestest.CDPTLV(0x11, 0, 0, 0x05, 0xdc),
		framestest.CDPTLV(0x16, 0, 0, 0, 1, 1, 1, 0xcc, 0, 4, 10, 0, 0, 2),
		framestest.CDPTLV(0x1a, 0, 1, 0, 2, 0, 0, 0x3c, 0x28, 0xff, 0xff, 0xff, 0xff),
		framestest.CDPTLV(0x1fff, 1, 2, 3),
	)
}

func TestDecode(t *testing.T) {
	// Behind the frame's own length there is padding.
	got, ttl, err := cdp.Decode(append(full(), 1, 2, 3))
	if err != nil || ttl != 3*time.Minute {
		t.Fatal(ttl, err)
	}
	want := switchport.Port{
		Protocol: "cdp", SourceMAC: source, Chassis: "name r1.lab.example(SN1)", Port: "FastEthernet0/1", Name: "r1.lab.example(SN1)",
		Description: "LabOS Version 12", Platform: "lab 2950", Capabilities: []string{"bridge", "router"},
		Management: []string{"10.0.0.1", "10.0.0.2", "2001:db8::1"}, VLAN: 77, VTPDomain: "DOMAIN", VoiceVLAN: 7, Duplex: "full", MTU: 1500,
		PowerType: "pse", PowerMW: 15400,
	}
	g, _ := json.Marshal(got)
	w, _ := json.Marshal(want)
	if string(g) != string(w) {
		t.Errorf("got\n%s\nwant\n%s", g, w)
	}
}

func TestVersions(t *testing.T) {
	device, port := framestest.CDPText(1, "r1"), framestest.CDPText(3, "e0")
	for name, c := range map[string]struct {
		frame []byte
		want  error
	}{
		"version 1":         {framestest.CDP(source, 1, 180, device, port), nil},
		"goodbye":           {framestest.CDP(source, 2, 0, device), nil},
		"version 3":         {framestest.CDP(source, 3, 180, device, port), cdp.ErrVersion},
		"no device":         {framestest.CDP(source, 2, 180, port), cdp.ErrNobody},
		"no port":           {framestest.CDP(source, 2, 180, device), cdp.ErrNobody},
		"TLV without end":   {framestest.CDP(source, 2, 180, device, []byte{0, 3, 0, 99}), cdp.ErrShort},
		"TLV of no length":  {framestest.CDP(source, 2, 180, device, []byte{0, 3, 0, 0}), cdp.ErrShort},
		"rest of a header":  {framestest.CDP(source, 2, 180, device, []byte{0}), cdp.ErrShort},
		"no header":         {framestest.CDP(source, 2, 180)[:24], cdp.ErrShort},
		"nothing":           {nil, cdp.ErrOther},
		"an LLDP frame":     {framestest.LLDP(source, framestest.Port(source, "p", 1)), cdp.ErrOther},
		"name of one blank": {framestest.CDP(source, 2, 180, framestest.CDPText(1, " "), port), cdp.ErrNobody},
	} {
		if _, _, err := cdp.Decode(c.frame); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// Whatever comes, what is accepted makes a fact.
func FuzzDecode(f *testing.F) {
	f.Add(full())
	f.Add(framestest.CDP(source, 1, 0, framestest.CDPText(1, "r1")))
	f.Fuzz(func(t *testing.T, frame []byte) {
		p, ttl, err := cdp.Decode(frame)
		if err != nil {
			return
		}
		if ttl > 255*time.Second || p.Chassis == "" || p.Port == "" && ttl > 0 {
			t.Errorf("%v of %q, %q", ttl, p.Chassis, p.Port)
		}
		fact, err := discovery.NewFact(switchport.Kind, "", switchport.Facts{Ports: []switchport.Port{p}})
		if err != nil {
			t.Fatalf("%x: %v", frame, err)
		}
		if len(fact.Body) > 2000+16*len(frame) {
			t.Errorf("a frame of %d bytes makes %d", len(frame), len(fact.Body))
		}
	})
}
