package uplink_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

// The fixed keys and identifiers of the vectors.
var (
	relayID  = tenancy.RelayID{UUID: uuid.MustParse("11111111-1111-4111-8111-111111111111")}
	hostID   = tenancy.HostID{UUID: uuid.MustParse("22222222-2222-4222-8222-222222222222")}
	siteID   = tenancy.SiteID{UUID: uuid.MustParse("33333333-3333-4333-8333-333333333333")}
	tenantID = tenancy.TenantID{UUID: uuid.MustParse("44444444-4444-4444-8444-444444444444")}
	signer   = ed25519.NewKeyFromSeed(fill(32, 7))
	public   = signer.Public().(ed25519.PublicKey)
	sentAt   = time.UnixMilli(1_790_000_000_000)
)

const tokenID = "abcDEF012345"

func fill(n int, b byte) []byte { return bytes.Repeat([]byte{b}, n) }

func openKey(t testing.TB) uplink.OpenKey {
	t.Helper()
	key, err := uplink.ParseOpenKey(fill(32, 9))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sample is one record of every type, all of its fields used.
func samples() []uplink.Change {
	return []uplink.Change{
		{
			Seq: 1, Type: uplink.FactPut, Host: hostID, SeenAt: 1_790_000_000_000, ObservedAt: 1_789_999_999_000,
			Kind: "packages", Instance: "f", Schema: 1, Hash: fill(32, 1), Term: 3, Version: 9, Body: []byte(`{"a":1}`),
		},
		{Seq: 2, Type: uplink.FactGone, Host: hostID, SeenAt: 1_790_000_000_001, Kind: "sockets", Term: 3, Version: 10},
		{
			Seq: 3, Type: uplink.HostState, Host: hostID, SeenAt: 1_790_000_000_002, Term: 3,
			HostState: &uplink.HostStateBody{
				State: uplink.Up, Name: "web-1", AgentVersion: "0.1.0", OS: "linux", Arch: "amd64", Labels: map[string]string{"env": "prod", "a": "b"},
				ProbeKey: fill(32, 2), Enrolled: true, MachineID: fill(32, 3),
			},
		},
		{
			Seq: 4, Type: uplink.Refusal, SeenAt: 1_790_000_000_003, Token: tokenID,
			Refusal: &uplink.RefusalBody{Subject: "enrolment", Reason: wire.Expired, Detail: "the token expired", From: "web-2"},
		},
		{Seq: 5, Type: uplink.TokenUse, Host: hostID, SeenAt: 1_790_000_000_004, Token: tokenID},
		{
			Seq: 6, Type: uplink.RelayState, SeenAt: 1_790_000_000_005,
			Relay: &uplink.RelayBody{Event: "started", Version: "0.1.0", Detail: "after a crash"},
		},
	}
}

// A base and what is told against it.
var (
	baseBody = []byte(`{"manager":"dpkg","packages":[{"arch":"amd64","name":"bash","version":"5.2.15-2+b7"},{"arch":"amd64","name":"zlib1g","version":"1:1.2.13"}]}`)
	nextBody = []byte(`{"manager":"dpkg","packages":[{"arch":"amd64","name":"bash","version":"5.2.15-2+b8"},{"arch":"amd64","name":"zlib1g","version":"1:1.2.13"}]}`)
)

func hashOf(kind string, schema uint8, body []byte) uplink.BodyHash {
	return sha256.Sum256(append(fmt.Appendf(nil, "%s %d ", kind, schema), body...))
}

// travelling are records in the forms in which only batches hold them: without
// their hash, by hash, by base and without their hash.
func travelling(t testing.TB) []uplink.Change {
	t.Helper()
	fact := func(seq uint64, body []byte) uplink.Change {
		hash := hashOf("packages", 1, body)
		return uplink.Change{
			Seq: seq, Type: uplink.FactPut, Host: hostID, SeenAt: 1_790_000_000_000, Kind: "packages", Instance: "f", Schema: 1, Hash: hash[:], Term: 3,
			Version: seq, Body: body,
		}
	}
	packer := &uplink.Packer{}
	defer packer.Close()
	short, ok := packer.ByBase(fact(3, nextBody), hashOf("packages", 1, baseBody), baseBody)
	if !ok {
		t.Fatal("the difference is no shorter than half of the body")
	}
	return []uplink.Change{fact(1, baseBody).Unnamed(), fact(2, baseBody).ByHash(), short.Unnamed()}
}

// laterSamples are records that came after the first version: the vectors of
// samples stay as they were.
func laterSamples() []uplink.Change {
	return []uplink.Change{
		{
			Seq: 7, Type: uplink.FactList, Host: hostID, SeenAt: 1_790_000_000_006, Kind: "packages", Term: 3, Version: 11,
			Instances: []string{"0", "f"},
		},
		{
			Seq: 8, Type: uplink.RelayState, SeenAt: 1_790_000_000_007,
			Relay: &uplink.RelayBody{Event: "gap", Detail: "restored", Gap: &uplink.Gap{
				Cause: uplink.Restored, Epoch: 1, From: 7, To: 9, Records: 3, Since: 1_790_000_000_000, Until: 1_790_000_000_001}},
		},
		{Seq: 9, Type: uplink.Verdict, SeenAt: 1_790_000_000_008, Verdict: &uplink.VerdictBody{
			ID: fill(16, 1), Kind: uplink.SwitchDown, Hosts: []tenancy.HostID{hostID}, Count: 48, Domain: fill(16, 2), Since: 1_790_000_000_000,
			At: 1_790_000_000_004, Over: 1_790_000_000_008, Ending: "back", Cause: fill(16, 3), Confidence: 95,
			Evidence: []uplink.Evidence{
				{Kind: uplink.MissedBeats, At: 1_790_000_000_002, By: hostID, About: hostID, Age: 2_000},
				{Kind: uplink.RelayDeaf, At: 1_790_000_000_003, Age: -1, Count: 4},
			}}},
	}
}

func encoded(t testing.TB, changes []uplink.Change) [][]byte {
	t.Helper()
	records := make([][]byte, len(changes))
	for i, c := range changes {
		record, err := uplink.EncodeRecord(c)
		if err != nil {
			t.Fatal(err)
		}
		records[i] = record
	}
	return records
}

// batch is the header and the payload of a batch of the samples.
func batch(t testing.TB) (uplink.Header, []byte) {
	t.Helper()
	records := encoded(t, samples())
	payload, err := uplink.EncodeBatch(records)
	if err != nil {
		t.Fatal(err)
	}
	start := uplink.ChainStart(relayID, 1)
	chain := uplink.ChainOver(start, records)
	h := uplink.Header{
		Purpose: uplink.PurposeBatch, Relay: relayID, KeyID: uplink.KeyID(openKey(t).SealKey()), SentAt: sentAt.UnixMilli(), Nonce: fill(16, 5),
		Epoch: 1, First: 1, Last: uint64(len(records)), Prev: start[:], Chain: chain[:],
	}
	return h, payload
}

func seal(t testing.TB, h uplink.Header, payload []byte) []byte {
	t.Helper()
	envelope, err := uplink.Seal(h, payload, openKey(t).SealKey(), signer)
	if err != nil {
		t.Fatal(err)
	}
	return envelope
}

func enrolRequest(t testing.TB) uplink.EnrolRequest {
	return uplink.EnrolRequest{
		TokenID: tokenID, Secret: fill(20, 1), Name: "relay-1", Version: "0.1.0", NoiseKey: fill(32, 2), SignKey: public,
		SealKey: openKey(t).SealKey().Bytes(), Nonce: fill(16, 3), Time: sentAt.UnixMilli(),
	}
}

func enrolAnswer() uplink.EnrolAnswer {
	return uplink.EnrolAnswer{
		Nonce: fill(16, 3), Tenant: tenantID, Site: siteID, Relay: relayID, SiteKey: public, Certificate: fill(145, 4), SiteName: "berlin",
	}
}

func ordersRequest() uplink.OrdersRequest {
	return uplink.OrdersRequest{Revision: 3, Version: "0.1.0", Epoch: 1, Backlog: 5, Hosts: 2, Time: sentAt.UnixMilli(), Nonce: fill(16, 3), Wait: 25_000}
}

func orders() uplink.Orders {
	return uplink.Orders{
		Revision: 4, Nonce: fill(16, 3), SiteName: "berlin", Certificate: fill(145, 4), Retired: []tenancy.HostID{hostID}, Time: sentAt.UnixMilli(),
		Tokens: []uplink.TokenOrder{
			{ID: tokenID, Hash: fill(32, 1), Expires: sentAt.UnixMilli(), Allowance: 5, Labels: map[string]string{"env": "prod"}},
			{ID: "000000000000", Hash: fill(32, 2), WrongSite: true},
			{ID: "111111111111", Hash: fill(32, 3), Revoked: true, Allowance: -1},
		},
	}
}

// siteOrders are orders with all that came after the first version.
func siteOrders() uplink.Orders {
	o := orders()
	o.SiteSecret = fill(32, 8)
	o.Policy = uplink.Policy{Residency: uplink.Replicate, Beat: 500, Places: map[string]string{"rack=r1": "hall 1/r1"}}
	o.Relays = []uplink.RelayOrder{{ID: relayID, Name: "relay-1", SignKey: public, Certificate: fill(145, 4), Cluster: "10.0.0.5:1986", Serves: "10.0.0.5:1984"}}
	o.Questions = []uplink.Question{{ID: fill(16, 9), Kind: "topology", At: sentAt.UnixMilli()}}
	return o
}

func answer() uplink.Answer {
	return uplink.Answer{Question: fill(16, 9), Detail: "whole", Body: []byte(`{"relay":"relay-1"}`), Time: sentAt.UnixMilli()}
}

func ack() uplink.Ack {
	return uplink.Ack{Epoch: 1, Position: 6, Chain: fill(32, 6), Nonce: fill(16, 5)}
}
