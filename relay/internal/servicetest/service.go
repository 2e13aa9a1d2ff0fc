// Package servicetest is a service as a relay sees it: it keeps the contract of
// package uplink over HTTP, holds the stream in memory, and can be told to
// fail in the ways that networks, proxies and restored databases fail.
package servicetest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"assimilation/discovery"
	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

// Fault is what goes wrong with one request. The zero value is nothing.
type Fault struct {
	Status    int    // answered in the clear, without looking at the request
	Lost      bool   // handled, but the answer never arrives
	Behind    bool   // answered as by a replica that has seen nothing of the epoch yet but its start
	Forged    bool   // answered under another site's signature
	OtherSeal bool   // answered to another request: the nonce is wrong
	Then      func() // called when the request is over
}

// Service is one tenant with one site.
type Service struct {
	URL     string
	Tenant  tenancy.TenantID
	Site    tenancy.SiteID
	Relay   tenancy.RelayID
	Token   tenancy.Token // a relay token
	SiteKey ed25519.PrivateKey

	mu       sync.Mutex
	openKey  uplink.OpenKey
	former   *uplink.OpenKey // opens, too; nil: none
	refusal  wire.Reason     // of enrolments
	sign     ed25519.PublicKey
	seal     uplink.SealKey
	noise    [32]byte
	faults   func(path string) Fault
	orders   uplink.Orders
	changed  chan struct{} // closed and replaced when orders or records change
	epoch    uint64
	position uint64
	chain    uplink.Chain
	applied  []uplink.Change
	bodies   map[uplink.BodyHash][]byte
	received int64
	requests map[string]int
	err      error
	// questions go out with every answer about orders.
	questions []uplink.Question
	answers   map[[16]byte]chan uplink.Answer
}

// New starts a service that ends with the test.
func New(t testing.TB) *Service {
	t.Helper()
	openKey, err := uplink.NewOpenKey()
	if err != nil {
		t.Fatal(err)
	}
	_, siteKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := &Service{
		Tenant: tenancy.NewID[tenancy.TenantID](), Site: tenancy.NewID[tenancy.SiteID](), Relay: tenancy.NewID[tenancy.RelayID](),
		SiteKey: siteKey, openKey: openKey, changed: make(chan struct{}), requests: map[string]int{}, bodies: map[uplink.BodyHash][]byte{},
		answers: map[[16]byte]chan uplink.Answer{},
		faults:  func(string) Fault { return Fault{} },
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /relay/v1/keys/{hash}", s.serveKey)
	mux.HandleFunc("POST /relay/v1/enrol", s.serveEnrol)
	mux.HandleFunc("POST /relay/v1/batch", func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, uplink.PurposeBatch, s.batch) })
	mux.HandleFunc("POST /relay/v1/orders", func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, uplink.PurposeOrdersRequest, s.order) })
	mux.HandleFunc("POST /relay/v1/answer", func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, uplink.PurposeAnswer, s.answer) })
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		if err := s.Err(); err != nil {
			t.Errorf("the service noticed: %v", err)
		}
	})
	s.URL = server.URL
	s.Token = tenancy.NewToken(tenancy.RelayToken, openKey.SealKey().Hash(), s.URL)
	return s
}

// Fail sets what goes wrong with each request from now on; f sees its path.
func (s *Service) Fail(f func(path string) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = f
}

// RefuseEnrolments gives the reason of all enrolments from now on.
func (s *Service) RefuseEnrolments(r wire.Reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusal = r
}

// Order makes new orders.
func (s *Service) Order(change func(*uplink.Orders)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.orders)
	s.orders.Revision++
	s.wake()
}

// Forget goes back to a position, as a database restored from a copy does.
func (s *Service) Forget(position uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.position = position
	s.chain = uplink.Chain{}
}

func (s *Service) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// ForgetBodies loses all bodies that facts had, as nobody should.
func (s *Service) ForgetBodies() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.bodies)
}

// Received is how many bytes all envelopes with batches had.
func (s *Service) Received() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.received
}

// Err is the first breach of the contract by the relay.
func (s *Service) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Requests counts the requests of a path.
func (s *Service) Requests(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[path]
}

// Await returns what has been applied, over all epochs, as soon as enough says
// so. It fails the test after a minute.
func (s *Service) Await(t testing.TB, enough func([]uplink.Change) bool) []uplink.Change {
	t.Helper()
	late := time.After(time.Minute)
	for {
		s.mu.Lock()
		applied, changed := s.applied[:len(s.applied):len(s.applied)], s.changed
		s.mu.Unlock()
		if enough(applied) {
			return applied
		}
		select {
		case <-changed:
		case <-late:
			t.Fatalf("it did not come to that; %d records were applied", len(applied))
		}
	}
}

// fault counts a request and says what goes wrong with it.
func (s *Service) fault(r *http.Request) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests[r.URL.Path]++
	return s.faults(r.URL.Path)
}

func (s *Service) serveKey(w http.ResponseWriter, r *http.Request) {
	if hash := s.openKey.SealKey().Hash(); r.PathValue("hash") != hex.EncodeToString(hash[:]) {
		http.Error(w, "wrong tenant", http.StatusForbidden)
		return
	}
	w.Write(s.openKey.SealKey().Bytes())
}

func (s *Service) serveEnrol(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	fault := s.fault(r)
	if fault.Status != 0 {
		w.WriteHeader(fault.Status)
		return
	}
	header, request, err := uplink.OpenEnrolRequest(body, s.openKey)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	answer := uplink.EnrolAnswer{Reason: s.refusal, Nonce: request.Nonce}
	if s.refusal == wire.Accepted {
		s.sign, s.noise = request.SignKey, [32]byte(request.NoiseKey)
		s.seal, err = uplink.ParseSealKey(request.SealKey)
		answer.Tenant, answer.Site, answer.Relay, answer.SiteName = s.Tenant, s.Site, s.Relay, "berlin"
		answer.SiteKey, answer.Certificate = s.SiteKey.Public().(ed25519.PublicKey), s.certificate(time.Now().Add(time.Hour))
	}
	s.mu.Unlock()
	sealKey, keyErr := uplink.ParseSealKey(request.SealKey)
	payload, encodeErr := answer.Encode()
	if err != nil || keyErr != nil || encodeErr != nil {
		http.Error(w, "bad keys", http.StatusBadRequest)
		return
	}
	if fault.Lost {
		panic(http.ErrAbortHandler)
	}
	s.reply(w, header, payload, sealKey, s.SiteKey)
}

// Certificate is one for the enrolled relay.
func (s *Service) Certificate(until time.Time) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.certificate(until)
}

func (s *Service) certificate(until time.Time) []byte {
	return wire.Certificate{
		Relay: s.Relay.UUID, Site: s.Site.UUID, Key: s.noise, NotBefore: time.Now().Add(-time.Hour).Unix(), NotAfter: until.Unix(),
	}.Sign(s.SiteKey).Append(nil)
}

func (s *Service) reply(w http.ResponseWriter, h uplink.Header, payload []byte, to uplink.SealKey, signer ed25519.PrivateKey) {
	sealed, err := uplink.Seal(h.Answer(time.Now()), payload, to, signer)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Write(sealed)
}

func (s *Service) serve(w http.ResponseWriter, r *http.Request, purpose uplink.Purpose, handle func(*http.Request, uplink.Header, []byte, Fault) ([]byte, error)) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	fault := s.fault(r)
	if fault.Then != nil {
		defer fault.Then()
	}
	if fault.Status != 0 {
		w.WriteHeader(fault.Status)
		return
	}
	s.mu.Lock()
	sign, seal := s.sign, s.seal
	if purpose == uplink.PurposeBatch {
		s.received += int64(len(body))
	}
	s.mu.Unlock()
	header, payload, err := uplink.Open(body, purpose, s.opener(body), sign)
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	answer, err := handle(r, header, payload, fault)
	if err != nil {
		s.mu.Lock()
		s.err = err
		s.mu.Unlock()
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	signer := s.SiteKey
	s.mu.Unlock()
	switch {
	case fault.Lost:
		panic(http.ErrAbortHandler) // the connection breaks
	case fault.Forged:
		_, signer, _ = ed25519.GenerateKey(rand.Reader)
	case fault.OtherSeal:
		header.Nonce = uplink.NewNonce()
	}
	s.reply(w, header, answer, seal, signer)
}

// batch applies what comes next, and answers where it stands.
func (s *Service) batch(_ *http.Request, h uplink.Header, payload []byte, fault Fault) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	records, err := uplink.DecodeBatch(payload)
	if err != nil {
		return nil, err
	}
	records, missing, err := uplink.Inline(records, s.bodies, func(kind string, schema uint8, body []byte) uplink.BodyHash {
		return uplink.BodyHash(discovery.HashBody(kind, int(schema), body))
	})
	if err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		return uplink.Ack{Epoch: s.epoch, Position: s.position, Chain: s.chain[:], Nonce: h.Nonce, Need: missing}.Encode()
	}
	entries, err := uplink.ReadRecords(h, records)
	if err != nil {
		return nil, err
	}
	if h.Epoch != s.epoch && h.First == 1 {
		s.epoch, s.position, s.chain = h.Epoch, 0, uplink.ChainStart(s.Relay, h.Epoch)
	}
	for _, e := range entries {
		if e.Err != nil {
			return nil, fmt.Errorf("record %d: %w", e.Seq, e.Err)
		}
	}
	// Like the real one: only what begins at or before the next position, and
	// whose chain goes on from ours, is taken; what is known is left out.
	if h.Epoch == s.epoch && h.First <= s.position+1 && h.Last > s.position {
		if h.First == s.position+1 && !bytes.Equal(h.Prev, s.chain[:]) {
			return s.ack(h, wire.Malformed, fault)
		}
		for _, e := range entries {
			if e.Seq > s.position {
				s.applied = append(s.applied, e.Change)
				if e.Change.Type == uplink.FactPut {
					s.bodies[uplink.BodyHash(e.Change.Hash)] = e.Change.Body
				}
			}
		}
		s.position, s.chain = h.Last, uplink.Chain(h.Chain)
		s.wake()
	}
	return s.ack(h, wire.Accepted, fault)
}

func (s *Service) ack(h uplink.Header, reason wire.Reason, fault Fault) ([]byte, error) {
	ack := uplink.Ack{Reason: reason, Epoch: s.epoch, Position: s.position, Chain: s.chain[:], Nonce: h.Nonce}
	if s.chain == (uplink.Chain{}) {
		ack.Chain = nil
	}
	if fault.Behind {
		ack.Position = 0
		start := uplink.ChainStart(s.Relay, s.epoch)
		ack.Chain = start[:]
	}
	return ack.Encode()
}

// order answers a request for orders, and waits for news as long as it may.
func (s *Service) order(r *http.Request, _ uplink.Header, payload []byte, _ Fault) ([]byte, error) {
	request, err := uplink.DecodeOrdersRequest(payload)
	if err != nil {
		return nil, err
	}
	late := time.After(time.Duration(request.Wait) * time.Millisecond)
	for {
		s.mu.Lock()
		orders, changed, questions := s.orders, s.changed, s.questions
		s.mu.Unlock()
		orders.Nonce, orders.Time, orders.Questions = request.Nonce, time.Now().UnixMilli(), questions
		if orders.Revision > request.Revision {
			return orders.Encode()
		}
		if len(questions) == 0 {
			select {
			case <-changed:
				continue
			case <-late:
			case <-r.Context().Done():
			}
		}
		return uplink.Orders{
			Revision: orders.Revision, Nonce: request.Nonce, Time: orders.Time, NotModified: true, Questions: questions,
		}.Encode()
	}
}

// opener is the key that an envelope names, if it is the former one and still there.
func (s *Service) opener(envelope []byte) uplink.OpenKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	header, err := uplink.ParseHeader(envelope)
	if err == nil && s.former != nil && bytes.Equal(header.KeyID, uplink.KeyID(s.former.SealKey())) {
		return *s.former
	}
	return s.openKey
}

// Rotate orders the relay to seal to another key. The former one opens until Retire.
func (s *Service) Rotate(t testing.TB) {
	t.Helper()
	key, err := uplink.NewOpenKey()
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	former := s.openKey
	s.former, s.openKey = &former, key
	s.mu.Unlock()
	s.Order(func(o *uplink.Orders) { o.TenantKey = key.SealKey().Bytes() })
}

// Retire forgets the former key.
func (s *Service) Retire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.former = nil
}

// Position is the newest record that was applied.
func (s *Service) Position() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.position
}
