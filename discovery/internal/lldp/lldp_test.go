package lldp_test

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"assimilation/discovery"
	"assimilation/discovery/internal/framestest"
	"assimilation/discovery/internal/lldp"
	"assimilation/discovery/switchport"
)

const source = "02:00:00:00:01:11"

var port = framestest.Port("02:00:00:00:01:01", "Gi0/1", 120)

// full is a frame with every TLV that is read.
func full() []byte {
	const bridge, ether, med = 0x0080c2, 0x00120f, 0x0012bb
	return framestest.LLDP(source, port,
		framestest.TLV(4, []byte("to the host\x00")...),
		framestest.TLV(5, []byte("switch1.lab.example")...),
		framestest.TLV(6, []byte("LabOS 1\r\nbuild 2")...),
		framestest.TLV(7, 0, 0x14, 0, 0x14),
		framestest.TLV(8, 5, 1, 10, 0, 0, 1, 2, 0, 0, 0, 7, 0),
		framestest.TLV(8, append(append([]byte{17, 2}, framestest.IP("2001:db8::1")...), 2, 0, 0, 0, 7, 0)...),
		framestest.TLV(8, 5, 1, 10, 0, 0, 1, 2, 0, 0, 0, 7, 0),
		framestest.Org(bridge, 1, 1, 0xe8),
		framestest.Org(bridge, 2, 6, 0, 20),
		framestest.Org(bridge, 2, 2, 0, 21), // supported, not enabled
		framestest.Org(bridge, 3, append([]byte{1, 0xe8, 4}, "core"...)...),
		framestest.Org(bridge, 3, append([]byte{0, 10, 200}, "old"...)...), // longer than it is
		framestest.Org(bridge, 3, append([]byte{1, 0xe8, 5}, "again"...)...),
		framestest.Org(bridge, 4, 2, 0x88, 0x8e),
		framestest.Org(bridge, 7, 3, 0, 0, 0, 9),
		framestest.Org(ether, 1, 3, 0x6c, 0, 0, 30),
		framestest.Org(ether, 2, 7, 1, 5, 0x51, 0, 130, 0, 126),
		framestest.Org(ether, 4, 0x05, 0xf2),
		framestest.Org(med, 1, 0, 0x3f, 4),
		framestest.Org(med, 2, 1, 0x40, 0x65, 0x6e),
		framestest.Org(med, 3, append([]byte{1}, coordinate(48.85667, 2.35099, 11, 1)...)...),
		framestest.Org(med, 3, civic("FR", "3\x05Paris", "25\x00", "\x19\x03DC1", "\x1c\x05Room7", "\xc8\x01x")...),
		framestest.Org(med, 3, append([]byte{3}, "3310000011"...)...),
		framestest.Org(med, 4, 0, 0, 65),
		framestest.Org(med, 5, []byte("hw1")...), framestest.Org(med, 6, []byte("fw2")...), framestest.Org(med, 7, []byte("sw3")...),
		framestest.Org(med, 8, []byte("SN4")...), framestest.Org(med, 9, []byte("Lab")...), framestest.Org(med, 10, []byte("24P")...),
		framestest.Org(med, 11, []byte("asset7")...),
		framestest.Org(0xabcdef, 1, 1, 2, 3),
	)
}

// coordinate encodes RFC 6225 section 2.2 with a resolution of 34 and 30 bits.
func coordinate(latitude, longitude, metres float64, datum byte) []byte {
	bits := func(v float64, fraction, size int) uint64 {
		return uint64(int64(v*float64(uint64(1)<<fraction))) & (1<<size - 1)
	}
	five := func(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n)[3:] }
	return append(slices.Concat(five(34<<34|bits(latitude, 25, 34)), five(34<<34|bits(longitude, 25, 34)), five(1<<36|30<<30|bits(metres, 8, 30))), datum)
}

func civic(country string, elements ...string) []byte {
	b := append([]byte{1}, country...)
	for _, e := range elements {
		if e[0] >= '0' && e[0] <= '9' { // "3\x05Paris": the type as a digit
			if e[1] < ' ' {
				b = append(b, e[0]-'0')
				e = e[1:]
			} else {
				b = append(b, (e[0]-'0')*10+e[1]-'0')
				e = e[2:]
			}
		}
		b = append(b, e...)
	}
	return append([]byte{2, byte(len(b))}, b...)
}

func TestDecode(t *testing.T) {
	got, ttl, err := lldp.Decode(full())
	if err != nil || ttl != 2*time.Minute {
		t.Fatal(ttl, err)
	}
	want := switchport.Port{
		Protocol: "lldp", SourceMAC: source,
		Chassis: "mac 02:00:00:00:01:01", ChassisSubtype: "mac address", Port: "Gi0/1", PortSubtype: "interface name",
		PortDescription: "to the host", Name: "switch1.lab.example", Description: "LabOS 1  build 2",
		Capabilities: []string{"bridge", "router"}, Management: []string{"10.0.0.1", "2001:db8::1"},
		VLAN: 488, VLANs: []switchport.VLAN{{ID: 10, Name: "old"}, {ID: 488, Name: "core"}}, ProtocolVLANs: []int64{20},
		Protocols: []string{"888e"}, LinkGroup: 9, Aggregated: true,
		Duplex: "full", MTU: 1522, MAU: "1000BASE-T full duplex", SpeedMbps: 1000, AutoNeg: "enabled",
		PowerClass: "class 4", PowerType: "pse", PowerMW: 12600, MEDClass: "network connectivity",
		Policies:    []switchport.Policy{{Application: "voice", VLAN: 50, Tagged: true, Priority: 5, DSCP: 46}},
		HardwareRev: "hw1", FirmwareRev: "fw2", SoftwareRev: "sw3", Serial: "SN4", Manufacturer: "Lab", Model: "24P", Asset: "asset7",
		Latitude: "48.85667", Longitude: "2.35099", Altitude: "11 m", Datum: "WGS84",
		Civic: []switchport.Civic{{Element: "200", Value: "x"}, {Element: "building", Value: "DC1"}, {Element: "city", Value: "Paris"},
			{Element: "country", Value: "FR"}, {Element: "room", Value: "Room7"}},
		ELIN: "3310000011",
	}
	if g, w := text(t, got), text(t, want); g != w {
		t.Errorf("got\n%s\nwant\n%s", g, w)
	}
}

func text(t *testing.T, p switchport.Port) string {
	t.Helper()
	b, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestIdentities(t *testing.T) {
	for name, c := range map[string]struct {
		chassis, port []byte
		want          [2]string
	}{
		"address of IPv4":  {framestest.TLV(1, 5, 1, 10, 0, 0, 9), framestest.TLV(2, 4, 1, 10, 0, 0, 8), [2]string{"ip 10.0.0.9", "10.0.0.8"}},
		"local words":      {framestest.Text(1, 7, "core-3"), framestest.Text(2, 7, "24"), [2]string{"local core-3", "24"}},
		"MAC of the port":  {framestest.Text(1, 6, "bond0"), framestest.TLV(2, append([]byte{3}, framestest.MAC(source)...)...), [2]string{"ifname bond0", source}},
		"bytes, no text":   {framestest.TLV(1, 7, 0xff, 1), framestest.TLV(2, 7, 0), [2]string{"local 0xff01", "0x00"}},
		"short MAC":        {framestest.TLV(1, 4, 'a', 'b'), framestest.Text(2, 1, "p\x00\x00"), [2]string{"mac ab", "p"}},
		"unknown subtypes": {framestest.Text(1, 99, "x"), framestest.Text(2, 99, "y"), [2]string{"reserved x", "y"}},
	} {
		got, _, err := lldp.Decode(framestest.LLDP(source, c.chassis, c.port, framestest.TLV(3, 0, 1)))
		if err != nil || got.Chassis != c.want[0] || got.Port != c.want[1] {
			t.Errorf("%s: %q, %q, %v", name, got.Chassis, got.Port, err)
		}
	}
}

func TestRefused(t *testing.T) {
	chassis, id, ttl := framestest.Text(1, 7, "c"), framestest.Text(2, 7, "p"), framestest.TLV(3, 0, 120)
	for name, c := range map[string]struct {
		frame []byte
		want  error
	}{
		"nothing":           {nil, lldp.ErrOther},
		"another EtherType": {make([]byte, 60), lldp.ErrOther},
		"no TLV":            {framestest.LLDP(source), lldp.ErrOrder},
		"wrong order":       {framestest.LLDP(source, id, chassis, ttl), lldp.ErrOrder},
		"no time to live":   {framestest.LLDP(source, chassis, id), lldp.ErrOrder},
		"second chassis":    {framestest.LLDP(source, chassis, id, ttl, chassis), lldp.ErrOrder},
		"empty chassis":     {framestest.LLDP(source, framestest.TLV(1, 7), id, ttl), lldp.ErrValue},
		"short TTL":         {framestest.LLDP(source, chassis, id, framestest.TLV(3, 1)), lldp.ErrValue},
		"cut short":         {full()[:60], lldp.ErrShort},
	} {
		if _, _, err := lldp.Decode(c.frame); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestGoodbye(t *testing.T) {
	if _, ttl, err := lldp.Decode(framestest.LLDP(source, framestest.Port("02:00:00:00:01:01", "Gi0/1", 0))); err != nil || ttl != 0 {
		t.Error(ttl, err)
	}
}

func TestMAU(t *testing.T) {
	for number, want := range map[byte]struct {
		name, duplex string
		mbps         int64
	}{
		0: {}, 10: {"10BASE-T half duplex", "half", 10}, 16: {"100BASE-TX full duplex", "full", 100}, 1: {"AUI", "", 0},
		36: {"10GBASE-SR", "", 10000}, 54: {"10GBASE-T", "", 10000}, 59: {"10/1GBASE-PRX-D1", "", 10000}, 74: {"40GBASE-LR4", "", 40000},
		78: {"100GBASE-ER4", "", 100000}, 94: {"25GBASE-T", "", 25000}, 103: {"2.5GBASE-T", "", 2500}, 104: {"5GBASE-T", "", 5000},
		105: {"105", "", 0}, 42: {"2BASE-TL", "", 2},
	} {
		p, _, err := lldp.Decode(framestest.LLDP(source, port, framestest.Org(0x00120f, 1, 1, 0, 0, 0, number)))
		if err != nil || p.MAU != want.name || p.Duplex != want.duplex || p.SpeedMbps != want.mbps || p.AutoNeg != "disabled" {
			t.Errorf("%d: %q %q %d, %v", number, p.MAU, p.Duplex, p.SpeedMbps, err)
		}
	}
}

func TestCoordinates(t *testing.T) {
	for _, c := range []struct {
		latitude, longitude, metres float64
		want                        [3]string
	}{
		{-33.5, 151.25, -2.5, [3]string{"-33.5", "151.25", "-2.5 m"}},
		{0, -180, 0, [3]string{"0", "-180", "0 m"}},
		{91, 0, 5, [3]string{}},
		{90, 100, 1000, [3]string{"90", "100", "1000 m"}},
	} {
		p, _, err := lldp.Decode(framestest.LLDP(source, port, framestest.Org(0x0012bb, 3, append([]byte{1}, coordinate(c.latitude, c.longitude, c.metres, 1)...)...)))
		if got := [3]string{p.Latitude, p.Longitude, p.Altitude}; err != nil || got != c.want {
			t.Errorf("%v: %q, %v", c, got, err)
		}
	}
}

// Whatever comes, what is accepted makes a fact, and is said twice alike.
func FuzzDecode(f *testing.F) {
	f.Add(full())
	f.Add(framestest.LLDP(source, port, framestest.Org(0x0012bb, 3, 2, 0, 1, 'F', 'R', 1)))
	f.Fuzz(func(t *testing.T, frame []byte) {
		p, ttl, err := lldp.Decode(frame)
		if err != nil {
			return
		}
		if ttl < 0 || ttl > 65535*time.Second || p.Chassis == "" || p.Port == "" || len(p.Chassis) > 255 {
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
