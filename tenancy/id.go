// Package tenancy is the vocabulary of everything that keeps customers apart:
// identifiers, roles, token formats. It holds no SQL and opens no socket; the
// only door to the database is the package tenancy/store.
package tenancy

import (
	"fmt"

	"github.com/google/uuid"
)

// ID is a UUID that cannot be mistaken for the ID of another kind of thing: a
// TenantID does not compile where a SiteID is wanted. It is random (version 4),
// but for a host's, which its relay derives from site and probe key (version 8,
// RFC 9562), so that a relay that lost its disk finds the same one again.
//
// It reads and writes itself as text (36 characters), as JSON string, as CBOR
// byte string (16 bytes) and as Postgres uuid.
type ID[K any] struct{ uuid.UUID }

type (
	tenantKind   struct{}
	siteKind     struct{}
	relayKind    struct{}
	hostKind     struct{}
	userKind     struct{}
	verdictKind  struct{}
	exporterKind struct{}
	webhookKind  struct{}
)

// The things that have an identifier.
type (
	// TenantID names a customer.
	TenantID = ID[tenantKind]
	// SiteID names a place with its own LAN.
	SiteID = ID[siteKind]
	// RelayID names one relay of a site.
	RelayID = ID[relayKind]
	// HostID names an enrolled host; it is bound to the probe's key.
	HostID = ID[hostKind]
	// UserID names a person, who may belong to several tenants.
	UserID = ID[userKind]
	// VerdictID names what a relay, or the service, concluded.
	VerdictID = ID[verdictKind]
	// ExporterID names a place that a tenant wants its data sent to.
	ExporterID = ID[exporterKind]
	// WebhookID names an address that a tenant wants called when something happens.
	WebhookID = ID[webhookKind]
)

// NewID returns a random identifier of kind K, as in NewID[tenancy.TenantID]().
func NewID[T ~struct{ uuid.UUID }]() T { return T(struct{ uuid.UUID }{uuid.New()}) }

// ParseID reads the 36-character text form only: the other spellings that
// uuid.Parse accepts (braces, urn:) have no business in our URLs and files.
func ParseID[T ~struct{ uuid.UUID }](s string) (T, error) {
	var zero T
	if len(s) != 36 {
		return zero, fmt.Errorf("identifier %.40q is not a UUID of 36 characters", s)
	}
	u, err := uuid.Parse(s)
	if err != nil {
		return zero, fmt.Errorf("identifier %q is not a UUID: %w", s, err)
	}
	return T(struct{ uuid.UUID }{u}), nil
}

// IsZero reports whether the identifier was never set.
func (id ID[K]) IsZero() bool { return id.UUID == uuid.Nil }
