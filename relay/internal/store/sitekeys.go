package store

import (
	"crypto/ed25519"
	"fmt"

	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

// keepSiteKeys takes in what orders say of the site's keys. An older statement than
// the one known changes nothing; one that the keys known so far do not vouch for is
// an error.
func (tx *Tx) keepSiteKeys(o uplink.Orders) error {
	err := tx.exec("UPDATE relay SET next_certificate = ?, next_revocation = ?", blob(o.NextCertificate), blob(o.NextRevocation))
	if err != nil || len(o.SiteKeys) == 0 {
		return err
	}
	statement, err := wire.ParseKeyStatement(o.SiteKeys)
	if err != nil {
		return err
	}
	keys, sequence, err := tx.trustedKeys()
	if err != nil || statement.Sequence <= sequence {
		return err
	}
	if keys, err = keys.Extend(statement); err != nil {
		return err
	}
	oldest := keys.Oldest()
	return tx.exec("UPDATE relay SET site_key = ?, site_keys = ?", oldest[:], o.SiteKeys)
}

func (tx *Tx) trustedKeys() (wire.Keys, uint64, error) {
	var pinned, encoded []byte
	if _, err := tx.row("SELECT site_key, site_keys FROM relay", nil, &pinned, &encoded); err != nil {
		return nil, 0, err
	}
	if len(pinned) != ed25519.PublicKeySize {
		return nil, 0, fmt.Errorf("the site's key has %d bytes", len(pinned))
	}
	var heard *wire.KeyStatement
	if encoded != nil {
		s, err := wire.ParseKeyStatement(encoded)
		if err != nil {
			return nil, 0, err
		}
		heard = &s
	}
	keys, sequence := wire.Trusted([ed25519.PublicKeySize]byte(pinned), heard)
	return keys, sequence, nil
}

// blob is NULL where there is nothing.
func blob(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

// KnowsSiteKeys notes that a host's probe has the statement of a sequence on disk,
// and tells the service if that is news.
func (tx *Tx) KnowsSiteKeys(id tenancy.HostID, sequence uint64, now int64) error {
	n, err := tx.changed("UPDATE hosts SET site_keys = ?1 WHERE id = ?2 AND site_keys <> ?1 AND served_by IS NULL", int64(sequence), id.UUID[:])
	if err != nil {
		return fmt.Errorf("noting what a host knows of the site's keys: %w", err)
	}
	if n == 0 {
		return nil
	}
	h, found, err := tx.Host(id)
	if err != nil || !found {
		return err
	}
	return tx.appendHost(h, now, false)
}
