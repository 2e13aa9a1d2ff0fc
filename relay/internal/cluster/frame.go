package cluster

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/fxamacker/cbor/v2"

	"assimilation/relay/internal/store"
	"assimilation/tenancy"
	"assimilation/uplink"
)

// Bounds of the stream. A frame is its length (4 bytes, big-endian) and one CBOR
// map.
const (
	maxFrame   = 8 << 20
	maxRecords = 500
	maxHosts   = 200
	// recordBytes is how much of records one frame has, unless one alone is more.
	recordBytes = 1 << 20
	maxText     = 512
)

// frame is what one relay says to another; it has one of the parts.
type frame struct {
	Told    *told    `cbor:"1,keyasint,omitempty"`
	Records *records `cbor:"2,keyasint,omitempty"`
	Hosts   []note   `cbor:"3,keyasint,omitempty"`
	Have    *have    `cbor:"4,keyasint,omitempty"`
	Beat    bool     `cbor:"5,keyasint,omitempty"` // nothing else to say
	Leaving bool     `cbor:"6,keyasint,omitempty"` // it ends in good order: take its hosts
	Listed  bool     `cbor:"7,keyasint,omitempty"` // all hosts that it had when the stream began are told
}

// told is how far the service holds the sender's stream.
type told struct {
	Epoch uint64 `cbor:"1,keyasint"`
	Acked uint64 `cbor:"2,keyasint"`
	Chain []byte `cbor:"3,keyasint"`
}

// records are of the sender's stream, from First on.
type records struct {
	Epoch   uint64   `cbor:"1,keyasint"`
	First   uint64   `cbor:"2,keyasint"`
	Prev    []byte   `cbor:"3,keyasint"` // chain(First-1)
	Records [][]byte `cbor:"4,keyasint"`
}

// have is how far the receiver holds the stream on disk: it answers each told and
// records. Refused says why it took no more.
type have struct {
	Epoch   uint64 `cbor:"1,keyasint"`
	Last    uint64 `cbor:"2,keyasint"`
	Chain   []byte `cbor:"3,keyasint"`
	Refused string `cbor:"4,keyasint,omitempty"`
}

// note is a host that the sender has.
type note struct {
	ID          tenancy.HostID    `cbor:"1,keyasint"`
	ProbeKey    []byte            `cbor:"2,keyasint"`
	Name        string            `cbor:"3,keyasint"`
	MachineID   []byte            `cbor:"4,keyasint,omitempty"`
	Token       string            `cbor:"5,keyasint,omitempty"`
	TokenLabels map[string]string `cbor:"6,keyasint,omitempty"`
	Labels      map[string]string `cbor:"7,keyasint,omitempty"`
	State       uplink.State      `cbor:"8,keyasint"`
	StateAt     int64             `cbor:"9,keyasint"`
	Agent       string            `cbor:"10,keyasint,omitempty"`
	OS          string            `cbor:"11,keyasint,omitempty"`
	Arch        string            `cbor:"12,keyasint,omitempty"`
	Address     string            `cbor:"13,keyasint,omitempty"`
	EnrolledAt  int64             `cbor:"14,keyasint"`
	Term        uint64            `cbor:"15,keyasint"`
	Domain      string            `cbor:"16,keyasint,omitempty"`
	SiteKeys    uint64            `cbor:"17,keyasint,omitempty"`
}

func noteOf(h store.Host, domain string) note {
	return note{
		ID: h.ID, ProbeKey: h.ProbeKey[:], Name: h.Name, MachineID: h.MachineID, Token: h.Token, TokenLabels: h.TokenLabels, Labels: h.Labels,
		State: h.State, StateAt: h.StateAt, Agent: h.AgentVersion, OS: h.OS, Arch: h.Arch, Address: h.Address, EnrolledAt: h.EnrolledAt,
		Term: h.Term, Domain: domain, SiteKeys: h.SiteKeys,
	}
}

// host is the host as the store has it that is served by another relay.
func (n note) host(by tenancy.RelayID) store.Host {
	return store.Host{
		ID: n.ID, ProbeKey: [32]byte(n.ProbeKey), Name: n.Name, MachineID: n.MachineID, Token: n.Token, TokenLabels: n.TokenLabels, Labels: n.Labels,
		State: n.State, StateAt: n.StateAt, AgentVersion: n.Agent, OS: n.OS, Arch: n.Arch, Address: n.Address, EnrolledAt: n.EnrolledAt,
		Term: n.Term, ServedBy: by, Domain: n.Domain, SiteKeys: n.SiteKeys,
	}
}

var errMalformed = errors.New("a frame is malformed")

func malformed(what string) error { return fmt.Errorf("%w: %s", errMalformed, what) }

// check reports why a frame is not acceptable. Records are not looked into: the
// service judges them, under the name of who made them.
func (f frame) check() error {
	if len(f.Hosts) > maxHosts {
		return malformed("too many hosts")
	}
	for _, n := range f.Hosts {
		if err := n.check(); err != nil {
			return err
		}
	}
	switch {
	case f.Told != nil && (f.Told.Epoch == 0 || f.Told.Epoch > 1<<62 || f.Told.Acked > 1<<62 || len(f.Told.Chain) != uplink.HashSize):
		return malformed("position")
	case f.Have != nil && (f.Have.Epoch > 1<<62 || f.Have.Last > 1<<62 || len(f.Have.Chain) != uplink.HashSize || !plain(f.Have.Refused)):
		return malformed("position")
	case f.Records == nil:
		return nil
	}
	r := f.Records
	if r.Epoch == 0 || r.Epoch > 1<<62 || r.First == 0 || r.First > 1<<62 || len(r.Prev) != uplink.HashSize || len(r.Records) == 0 || len(r.Records) > maxRecords {
		return malformed("records")
	}
	if slices.ContainsFunc(r.Records, func(b []byte) bool { return len(b) == 0 || len(b) > uplink.MaxRecord }) {
		return malformed("record that is empty or too long")
	}
	return nil
}

var states = []uplink.State{uplink.Up, uplink.Silent, uplink.ShutDown, uplink.Down, uplink.AgentDown, uplink.Unresponsive, uplink.Unreachable}

func (n note) check() error {
	switch {
	case n.ID.IsZero() || len(n.ProbeKey) != 32 || n.MachineID != nil && len(n.MachineID) != 32:
		return malformed("host without id or key")
	case n.Term == 0 || n.Term > 1<<62 || n.SiteKeys > 1<<62 || n.StateAt < 0 || n.EnrolledAt < 0:
		return malformed("term or time of a host")
	case n.Name == "" || !plain(n.Name, n.Token, n.Agent, n.OS, n.Arch, n.Address, n.Domain):
		return malformed("text of a host")
	case !slices.Contains(states, n.State):
		return malformed("state of a host")
	}
	if uplink.CheckLabels(n.TokenLabels) != nil || uplink.CheckLabels(n.Labels) != nil {
		return malformed("labels of a host")
	}
	return nil
}

func plain(texts ...string) bool {
	for _, s := range texts {
		if len(s) > maxText || !utf8.ValidString(s) || slices.ContainsFunc([]byte(s), func(b byte) bool { return b < 0x20 || b == 0x7f }) {
			return false
		}
	}
	return true
}

// decMode takes nothing that a relay of ours would not send.
var decMode = sync.OnceValue(func() cbor.DecMode {
	mode, err := cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden, TagsMd: cbor.TagsForbidden,
		UTF8: cbor.UTF8RejectInvalid, MaxNestedLevels: 8, MaxArrayElements: maxRecords, MaxMapPairs: 256,
	}.DecMode()
	if err != nil {
		panic(err) // constant options: a mistake of ours
	}
	return mode
})

func encodeFrame(f frame) ([]byte, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	body, err := cbor.Marshal(f)
	if err != nil {
		return nil, err
	}
	return append(binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(body)), uint32(len(body))), body...), nil
}

func readFrame(r io.Reader) (f frame, err error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return frame{}, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > maxFrame {
		return frame{}, malformed("too long")
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(r, body); err != nil {
		return frame{}, err
	}
	if err := decMode().Unmarshal(body, &f); err != nil {
		return frame{}, malformed("not the CBOR of one")
	}
	return f, f.check()
}
