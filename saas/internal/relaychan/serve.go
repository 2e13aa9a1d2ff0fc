package relaychan

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

// Times of a request: to read a body over a slow line, and to write the answer
// after the longest wait for orders.
const (
	readTime  = time.Minute
	writeTime = 2 * time.Minute
)

// Handler makes the payload of the answer. An error of type *wire.Error refuses
// the request in the clear; any other is a fault of the service, which the
// relay is told to try again.
type Handler func(ctx context.Context, r Request) ([]byte, error)

// Serve answers envelopes of a purpose.
func (c *Channel) Serve(purpose uplink.Purpose, handle Handler) http.Handler {
	endpoint := endpoints[purpose]
	return c.endpoint(endpoint, maxBody(purpose), func(r *http.Request, envelope []byte) ([]byte, error) {
		ctx := r.Context()
		request, err := c.open(ctx, purpose, envelope)
		if err != nil {
			return nil, err
		}
		if !c.waiting.charge(request.Relay.ID, 1) {
			return nil, &wire.Error{Reason: wire.Busy, What: "too many requests of one relay at once"}
		}
		defer c.waiting.release(request.Relay.ID, 1)
		// Twice: the handler decodes it.
		size, tenant := 2*int64(len(request.Payload)), request.Relay.Tenant
		if !c.opened.charge(tenant, size) {
			return nil, &wire.Error{Reason: wire.Busy, What: "too much of the tenant's relays at once"}
		}
		defer c.opened.release(tenant, size)
		payload, err := handle(ctx, request)
		if err != nil {
			return nil, err
		}
		return seal(request.Header, payload, request.Relay.sealKey, request.Relay.siteKey)
	})
}

func seal(request uplink.Header, payload []byte, to uplink.SealKey, signer ed25519.PrivateKey) ([]byte, error) {
	sealed, err := uplink.Seal(request.Answer(time.Now()), payload, to, signer)
	if err != nil {
		return nil, fmt.Errorf("sealing an answer: %w", notTheirs(err))
	}
	return sealed, nil
}

func maxBody(purpose uplink.Purpose) int64 {
	if purpose == uplink.PurposeBatch || purpose == uplink.PurposeAnswer {
		return uplink.MaxEnvelope
	}
	return MaxSmall
}

// endpoints are the values of the counter's label.
var endpoints = map[uplink.Purpose]string{
	uplink.PurposeEnrol: "enrol", uplink.PurposeBatch: "batch", uplink.PurposeOrdersRequest: "orders",
	uplink.PurposeAnswer: "answer",
}

func (c *Channel) open(ctx context.Context, purpose uplink.Purpose, envelope []byte) (Request, error) {
	header, err := uplink.ParseHeader(envelope)
	if err != nil {
		return Request{}, err
	}
	relay, err := c.relay(ctx, header.Relay, header.KeyID)
	if err != nil {
		return Request{}, err
	}
	if err := c.acquire(ctx); err != nil {
		return Request{}, err
	}
	defer c.release()
	header, payload, err := uplink.Open(envelope, purpose, relay.openKey, relay.signKey)
	return Request{relay, header, payload}, err
}

func (c *Channel) acquire(ctx context.Context) error {
	select {
	case c.openings <- struct{}{}:
		return nil
	case <-time.After(5 * time.Second):
		return &wire.Error{Reason: wire.Busy, What: "too many requests of relays at once"}
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *Channel) release() { <-c.openings }

// Enrolment is the request of a relay that wants to join a tenant.
type Enrolment struct {
	Tenant  tenancy.TenantID
	Request uplink.EnrolRequest
	From    string // the address it came from
}

// Enroller judges an enrolment. It returns the answer and the private key of
// the site that the relay joins, or nil where there is none to name.
type Enroller func(context.Context, Enrolment) (uplink.EnrolAnswer, ed25519.PrivateKey, error)

// ServeEnrolment answers envelopes of PurposeEnrol. The nonce of the answer is
// set here.
func (c *Channel) ServeEnrolment(enrol Enroller) http.Handler {
	endpoint := endpoints[uplink.PurposeEnrol]
	return c.endpoint(endpoint, maxBody(uplink.PurposeEnrol), func(r *http.Request, envelope []byte) ([]byte, error) {
		if !c.enrols.Allow(web.ClientKey(r), time.Now()) {
			return nil, &wire.Error{Reason: wire.Busy, What: "too many enrolments from this address"}
		}
		header, err := uplink.ParseHeader(envelope)
		if err != nil {
			return nil, err
		}
		tenant, key, err := c.tenant(r.Context(), header.KeyID)
		if err != nil {
			return nil, err
		}
		header, request, err := uplink.OpenEnrolRequest(envelope, key)
		if err != nil {
			return nil, err
		}
		sealKey, err := uplink.ParseSealKey(request.SealKey)
		if err != nil {
			return nil, err
		}
		answer, siteKey, err := enrol(r.Context(), Enrolment{tenant, request, r.RemoteAddr})
		if err != nil {
			return nil, err
		}
		if answer.Reason != wire.Accepted {
			c.refused.WithLabelValues(endpoint, answer.Reason.String()).Inc()
		}
		if siteKey == nil {
			// The relay cannot verify a signature of a site that it does not join;
			// the nonce proves who answers.
			if _, siteKey, err = ed25519.GenerateKey(nil); err != nil {
				return nil, err
			}
		}
		answer.Nonce = request.Nonce
		payload, err := answer.Encode()
		if err != nil {
			return nil, notTheirs(err)
		}
		return seal(header, payload, sealKey, siteKey)
	})
}

// ServeKey answers with the tenant's public seal key whose SHA-256 the path
// value "hash" names. A relay checks it against its token, so nobody need
// trust the way it came.
func (c *Channel) ServeKey() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hash, err := hex.DecodeString(r.PathValue("hash"))
		if err != nil || len(hash) != uplink.HashSize {
			c.refuse(w, r, "keys", &wire.Error{Reason: wire.Malformed, What: "hash of a key"})
			return
		}
		var key []byte
		err = c.db.Global(r.Context(), func(tx pgx.Tx) error {
			return tx.QueryRow(r.Context(), `
				SELECT seal_key FROM assim.tenants WHERE seal_key_hash = $1
				UNION ALL SELECT former_key FROM assim.tenants WHERE former_key_hash = $1`, hash).Scan(&key)
		})
		if errors.Is(err, pgx.ErrNoRows) {
			err = &wire.Error{Reason: wire.WrongTenant, What: "no tenant has this key"}
		}
		if err != nil {
			c.refuse(w, r, "keys", err)
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Cache-Control", "no-store")
		w.Write(key)
	})
}

// endpoint does what all posts have in common.
func (c *Channel) endpoint(name string, limit int64, answer func(*http.Request, []byte) ([]byte, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Not every writer has deadlines (those of tests have not); then the
		// server's own hold.
		deadlines := http.NewResponseController(w)
		_ = deadlines.SetReadDeadline(time.Now().Add(readTime))
		_ = deadlines.SetWriteDeadline(time.Now().Add(writeTime))
		envelope, release, err := c.read(http.MaxBytesReader(w, r.Body, limit))
		defer release()
		// Left in place, the deadline would end a long poll as if the relay had gone.
		_ = deadlines.SetReadDeadline(time.Time{})
		if err != nil {
			if _, busy := errors.AsType[*wire.Error](err); busy {
				// as it is
			} else if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
				err = &wire.Error{Reason: wire.TooLarge, What: "body of a request"}
			} else {
				err = &wire.Error{Reason: wire.Malformed, What: "body of a request is cut"}
			}
			c.refuse(w, r, name, err)
			return
		}
		sealed, err := answer(r, envelope)
		if err != nil {
			c.refuse(w, r, name, err)
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Cache-Control", "no-store")
		w.Write(sealed)
	})
}

// refuse answers in the clear: a status and the reason's name.
func (c *Channel) refuse(w http.ResponseWriter, r *http.Request, endpoint string, err error) {
	if r.Context().Err() != nil {
		return // nobody listens
	}
	reason := wire.NotDurable
	if refusal, ok := errors.AsType[*wire.Error](err); ok {
		reason = refusal.Reason
		level := slog.LevelDebug
		if c.said.Allow(endpoint+" "+reason.String()+" "+web.ClientKey(r), time.Now()) {
			level = slog.LevelWarn
		}
		c.log.Log(r.Context(), level, "relay refused", "endpoint", endpoint, "reason", reason.String(), "detail", refusal.What, "from", r.RemoteAddr)
	} else {
		c.log.Error("serving a relay", "endpoint", endpoint, "from", r.RemoteAddr, "error", err)
	}
	c.refused.WithLabelValues(endpoint, reason.String()).Inc()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	switch {
	case reason == wire.OverQuota:
		w.Header().Set("Retry-After", "60") // what makes room are hours
	case reason.Temporary():
		w.Header().Set("Retry-After", "5")
	}
	w.WriteHeader(status(reason))
	io.WriteString(w, reason.String()+explanations[reason]+"\n")
}

// explanations follow a reason's name where that leaves people at the relay in
// doubt.
var explanations = map[wire.Reason]string{
	wire.NotEnrolled: ": the service knows no such relay; its tenant may have been deleted, or the service restored from an older copy",
	wire.WrongTenant: ": no tenant has this key, or no longer; what waits here is kept. Is the token, or a restored relay, older than the tenant's key? A new token, then",
	wire.OverQuota:   ": the tenant has all that it may have; what waits here is taken when there is room, see the page /usage",
}

func status(reason wire.Reason) int {
	switch reason {
	case wire.TooLarge:
		return http.StatusRequestEntityTooLarge
	case wire.BadSignature, wire.NotEnrolled:
		return http.StatusUnauthorized
	case wire.WrongTenant, wire.Revoked:
		return http.StatusForbidden
	case wire.Busy, wire.OverQuota:
		return http.StatusTooManyRequests
	case wire.NotDurable:
		return http.StatusServiceUnavailable
	}
	return http.StatusBadRequest
}
