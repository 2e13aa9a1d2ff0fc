package uplink

import (
	"crypto/ed25519"
	"slices"

	"assimilation/tenancy"
	"assimilation/wire"
)

// Encode is the payload of an envelope of PurposeEnrol.
func (r EnrolRequest) Encode() ([]byte, error) { return encode(r) }

// Check reports why the request is not acceptable.
func (r EnrolRequest) Check() error {
	switch {
	case !validTokenID(r.TokenID) || len(r.Secret) != tenancy.SecretSize:
		return malformed("token id or secret is of the wrong size")
	case r.Name == "" || !shortText(r.Name, MaxName) || !shortText(r.Version, MaxVersion):
		return malformed("name or version is missing, too long or not plain text")
	case len(r.NoiseKey) != 32 || len(r.SignKey) != ed25519.PublicKeySize:
		return malformed("noise or signing key is not 32 bytes")
	case len(r.Nonce) != NonceSize:
		return malformed("nonce is not %d bytes", NonceSize)
	case r.Time <= 0 || r.Time > maxTime:
		return malformed("impossible time")
	}
	_, err := ParseSealKey(r.SealKey)
	return err
}

// Encode is the payload of an envelope of PurposeEnrolAnswer.
func (a EnrolAnswer) Encode() ([]byte, error) { return encode(a) }

// Check reports why the answer is not acceptable.
func (a EnrolAnswer) Check() error {
	switch {
	case len(a.Nonce) != NonceSize:
		return malformed("nonce is not %d bytes", NonceSize)
	case !shortText(a.Detail, MaxDetail) || !shortText(a.SiteName, MaxName):
		return malformed("detail or site name is too long or not plain text")
	case a.Reason != wire.Accepted:
		return nil
	case a.Tenant.IsZero() || a.Site.IsZero() || a.Relay.IsZero():
		return malformed("enrolment without tenant, site or relay")
	case len(a.SiteKey) != ed25519.PublicKeySize || len(a.Certificate) == 0 || len(a.Certificate) > MaxDetail:
		return malformed("enrolment without site key or certificate")
	}
	return nil
}

// Encode is the payload of an envelope of PurposeOrdersRequest.
func (r OrdersRequest) Encode() ([]byte, error) { return encode(r) }

// DecodeOrdersRequest reads what Encode wrote.
func DecodeOrdersRequest(payload []byte) (OrdersRequest, error) {
	return decode[OrdersRequest](payload)
}

// Check reports why the request is not acceptable.
func (r OrdersRequest) Check() error {
	switch {
	case r.Revision > maxNumber || r.Epoch > maxNumber || r.Backlog > maxNumber || r.Hosts > maxNumber || r.SiteKeys > maxNumber:
		return malformed("number out of range")
	case !shortText(r.Version, MaxVersion):
		return malformed("version is too long or not plain text")
	case len(r.Nonce) != NonceSize:
		return malformed("nonce is not %d bytes", NonceSize)
	case r.Time <= 0 || r.Time > maxTime:
		return malformed("impossible time")
	case !shortText(r.Cluster, MaxName) || !shortText(r.Serves, MaxName) || !shortText(r.Installs, MaxName):
		return malformed("address is too long or not plain text")
	case r.Programs != nil && len(r.Programs) != HashSize || r.InstallKey != nil && len(r.InstallKey) != HashSize:
		return malformed("hash of programs or of a key is not %d bytes", HashSize)
	case r.Wait < 0 || r.Wait > MaxWait:
		return malformed("a wait of 0 to %d ms is possible", MaxWait)
	}
	if err := checkPending(r.Pending); err != nil {
		return err
	}
	return nil
}

// Encode is the payload of an envelope of PurposeOrders.
func (o Orders) Encode() ([]byte, error) { return encode(o) }

// DecodeOrders reads what Encode wrote.
func DecodeOrders(payload []byte) (Orders, error) { return decode[Orders](payload) }

// Check reports why the orders are not acceptable.
func (o Orders) Check() error {
	switch {
	case o.Revision > maxNumber:
		return malformed("revision out of range")
	case len(o.Nonce) != NonceSize:
		return malformed("nonce is not %d bytes", NonceSize)
	case o.Time <= 0 || o.Time > maxTime:
		return malformed("impossible time")
	case !shortText(o.SiteName, MaxName):
		return malformed("site name is too long or not plain text")
	case len(o.Certificate) > MaxDetail || len(o.NextCertificate) > MaxDetail:
		return malformed("certificate is too long")
	case len(o.Tokens) > MaxTokens || len(o.Retired) > MaxRetired:
		return refuse(wire.TooLarge, "too many tokens or retired hosts")
	}
	for _, t := range o.Tokens {
		if err := t.check(); err != nil {
			return err
		}
	}
	return o.checkSite()
}

// checkSite checks what the orders say of the site and its relays.
func (o Orders) checkSite() error {
	switch {
	case o.SiteSecret != nil && len(o.SiteSecret) != HashSize:
		return malformed("site secret is not %d bytes", HashSize)
	case len(o.Relays) > MaxRelays || len(o.Questions) > MaxQuestions || len(o.Policy.Places) > MaxPlaces:
		return refuse(wire.TooLarge, "too many relays, questions or places")
	case o.Policy.Residency != "" && o.Policy.Residency != SiteOnly && o.Policy.Residency != Replicate:
		return refuse(wire.Unsupported, "residency %q", o.Policy.Residency)
	case o.Policy.Beat != 0 && (o.Policy.Beat < wire.MinBeat.Milliseconds() || o.Policy.Beat > wire.MaxBeat.Milliseconds()):
		return malformed("beat of %d ms", o.Policy.Beat)
	case o.Policy.Decided < 0 || o.Policy.Decided > maxTime:
		return malformed("impossible time of a decision")
	}
	if err := checkPrograms(o.Programs); err != nil {
		return err
	}
	if len(o.TenantKey) > 0 {
		if _, err := ParseSealKey(o.TenantKey); err != nil {
			return err
		}
	}
	for _, revocation := range [][]byte{o.Revocation, o.NextRevocation} {
		if len(revocation) == 0 {
			continue
		}
		if _, err := wire.ParseRevocation(revocation); err != nil {
			return err
		}
	}
	if len(o.SiteKeys) > 0 {
		if _, err := wire.ParseKeyStatement(o.SiteKeys); err != nil {
			return err
		}
	}
	for name, place := range o.Policy.Places {
		if name == "" || !shortText(name, MaxName) || !shortText(place, MaxName) {
			return malformed("place is too long or not plain text")
		}
	}
	for _, r := range o.Relays {
		if r.ID.IsZero() || len(r.SignKey) != ed25519.PublicKeySize || len(r.Certificate) > MaxDetail || len(r.NextCertificate) > MaxDetail ||
			!shortText(r.Name, MaxName) || !shortText(r.Cluster, MaxName) || !shortText(r.Serves, MaxName) {
			return malformed("relay without id or key, or with text that is too long or not plain")
		}
	}
	for _, q := range o.Questions {
		if len(q.ID) != 16 || !validKindName(q.Kind) || q.At <= 0 || q.At > maxTime {
			return malformed("impossible question")
		}
	}
	return nil
}

func validKindName(kind string) bool { return kind != "" && validKind(kind) }

// Encode is the payload of an envelope of PurposeAnswer.
func (a Answer) Encode() ([]byte, error) { return encode(a) }

// DecodeAnswer reads what Encode wrote.
func DecodeAnswer(payload []byte) (Answer, error) { return decode[Answer](payload) }

// Check reports why the answer is not acceptable. Its body is not looked into.
func (a Answer) Check() error {
	switch {
	case len(a.Question) != 16:
		return malformed("question is not 16 bytes")
	case !shortText(a.Detail, MaxDetail):
		return malformed("detail is too long or not plain text")
	case len(a.Body) > MaxAnswer:
		return refuse(wire.TooLarge, "answer of %d bytes exceeds %d", len(a.Body), MaxAnswer)
	case a.Time <= 0 || a.Time > maxTime:
		return malformed("impossible time")
	}
	return nil
}

func (t TokenOrder) check() error {
	switch {
	case !validTokenID(t.ID) || len(t.Hash) != HashSize:
		return malformed("token id or hash is of the wrong size")
	case t.Expires < 0 || t.Expires > maxTime:
		return malformed("impossible expiry of a token")
	case t.Allowance < -1:
		return malformed("negative allowance of a token")
	}
	return CheckLabels(t.Labels)
}

// Encode is the payload of an envelope of PurposeAck.
func (a Ack) Encode() ([]byte, error) { return encode(a) }

// DecodeAck reads what Encode wrote.
func DecodeAck(payload []byte) (Ack, error) { return decode[Ack](payload) }

// Check reports why the acknowledgement is not acceptable.
func (a Ack) Check() error {
	switch {
	case !shortText(a.Detail, MaxDetail):
		return malformed("detail is too long or not plain text")
	case a.Epoch > maxNumber || a.Position > maxNumber:
		return malformed("position out of range")
	case a.Chain != nil && len(a.Chain) != HashSize:
		return malformed("chain is not %d bytes", HashSize)
	case len(a.Need) > MaxRecords || slices.ContainsFunc(a.Need, func(hash []byte) bool { return len(hash) != HashSize }):
		return malformed("needed hashes are too many or not %d bytes", HashSize)
	case len(a.Nonce) != NonceSize:
		return malformed("nonce is not %d bytes", NonceSize)
	}
	return nil
}
