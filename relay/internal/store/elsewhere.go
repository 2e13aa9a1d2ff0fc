package store

import (
	"context"
	"crypto/ed25519"
	"database/sql"
	"errors"
	"fmt"

	"assimilation/tenancy"
	"assimilation/uplink"
)

// Relays reads the site's relays as the service last named them.
func (s *Store) Relays(ctx context.Context) ([]uplink.RelayOrder, error) {
	rows, err := s.readers.QueryContext(ctx, "SELECT id, name, sign_key, certificate, cluster, serves, next_certificate FROM relays ORDER BY id")
	if err != nil {
		return nil, fmt.Errorf("reading the site's relays: %w", err)
	}
	defer rows.Close()
	var relays []uplink.RelayOrder
	for rows.Next() {
		var id []byte
		var r uplink.RelayOrder
		if err := rows.Scan(&id, &r.Name, &r.SignKey, &r.Certificate, &r.Cluster, &r.Serves, &r.NextCertificate); err != nil {
			return nil, fmt.Errorf("reading the site's relays: %w", err)
		}
		if len(id) != 16 || len(r.SignKey) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("relay %x is damaged", id)
		}
		r.ID.UUID = [16]byte(id)
		relays = append(relays, r)
	}
	return relays, rows.Err()
}

// replaceRelays adopts the relays of the site, and drops the copies of the
// streams of those that are no more.
func (tx *Tx) replaceRelays(relays []uplink.RelayOrder) error {
	if err := tx.exec("DELETE FROM relays"); err != nil {
		return err
	}
	for _, r := range relays {
		err := tx.exec("INSERT OR REPLACE INTO relays (id, name, sign_key, certificate, cluster, serves, next_certificate) VALUES (?, ?, ?, ?, ?, ?, ?)",
			r.ID.UUID[:], r.Name, r.SignKey, append([]byte{}, r.Certificate...), r.Cluster, r.Serves, append([]byte{}, r.NextCertificate...))
		if err != nil {
			return err
		}
	}
	for _, statement := range []string{"DELETE FROM replica WHERE origin NOT IN (SELECT id FROM relays)", "DELETE FROM origins WHERE relay NOT IN (SELECT id FROM relays)"} {
		if err := tx.exec(statement); err != nil {
			return err
		}
	}
	return nil
}

// LearnHost takes in that another relay of the site has a host. It reports
// whether that is news: not if this relay, or a third one, had it later.
func (tx *Tx) LearnHost(h Host) (news bool, err error) {
	if retired, err := tx.IsRetired(h.ID); err != nil || retired {
		return false, err
	}
	own, found, err := tx.Host(h.ID)
	if err != nil {
		return false, err
	}
	if found && (own.Term > h.Term || own.Term == h.Term && own.ServedBy != h.ServedBy) {
		return false, nil
	}
	tokenLabels, labels, err := labelTexts(h)
	if err != nil {
		return false, err
	}
	n, err := tx.changed("INSERT INTO hosts ("+hostColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, labels = excluded.labels, state = excluded.state, state_at = excluded.state_at,
			agent_version = excluded.agent_version, os = excluded.os, arch = excluded.arch, address = excluded.address,
			term = excluded.term, served_by = excluded.served_by, domain = excluded.domain, site_keys = excluded.site_keys
		ON CONFLICT DO NOTHING`,
		h.ID.UUID[:], h.ProbeKey[:], h.Name, h.MachineID, h.Token, tokenLabels, labels, string(h.State), h.StateAt, h.AgentVersion, h.OS, h.Arch,
		h.Address, h.EnrolledAt, int64(h.Term), h.ServedBy.UUID[:], h.Domain, int64(h.SiteKeys))
	if err != nil {
		return false, fmt.Errorf("learning a host of another relay: %w", err)
	}
	return n > 0 && (!found || own.ServedBy != h.ServedBy), nil
}

// TakeHost makes a host this relay's, whose own relay is gone, before it has said
// a word here: so that somebody misses it should it not. found is false if it is
// not, or no longer, that relay's.
func (tx *Tx) TakeHost(id tenancy.HostID, from tenancy.RelayID, now int64) (h Host, found bool, err error) {
	h, found, err = tx.Host(id)
	if err != nil || !found || h.ServedBy != from {
		return Host{}, false, err
	}
	if err := tx.comeHere(&h, now); err != nil {
		return Host{}, false, err
	}
	err = tx.exec("UPDATE hosts SET term = ?, version = ? WHERE id = ?", int64(h.Term), int64(h.Version), id.UUID[:])
	if err != nil {
		return Host{}, false, fmt.Errorf("taking a host over: %w", err)
	}
	return h, true, tx.appendHost(h, now, false)
}

// comeHere makes a host that another relay had this one's. What is held of it is
// as old as its leaving: its facts count when its probe has listed them again.
func (tx *Tx) comeHere(h *Host, now int64) error {
	h.Term, h.Version, h.ServedBy, h.doubt = max(h.Term+1, uint64(newTerm(now))), 0, tenancy.RelayID{}, told
	if err := tx.exec("UPDATE hosts SET served_by = NULL, doubt = ? WHERE id = ?", int(told), h.ID.UUID[:]); err != nil {
		return fmt.Errorf("taking a host over: %w", err)
	}
	return tx.exec("DELETE FROM settled WHERE host = ?", h.ID.UUID[:])
}

// HostsOf reads the hosts of these ids that are known.
func (s *Store) HostsOf(ctx context.Context, ids []tenancy.HostID) ([]Host, error) {
	hosts := make([]Host, 0, len(ids))
	for _, id := range ids {
		h, err := scanHost(s.readers.QueryRowContext(ctx, "SELECT "+hostColumns+" FROM hosts WHERE id = ?", id.UUID[:]).Scan)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading a host: %w", err)
		}
		hosts = append(hosts, h)
	}
	return hosts, nil
}
