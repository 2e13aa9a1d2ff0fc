package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"assimilation/tenancy"
	"assimilation/uplink"
)

// Host is an enrolled host as this relay knows it.
type Host struct {
	ID           tenancy.HostID
	ProbeKey     [32]byte
	Name         string
	MachineID    []byte
	Token        string            // with which it was enrolled
	TokenLabels  map[string]string // given by the token; they win over Labels
	Labels       map[string]string // the probe's own
	State        uplink.State
	StateAt      int64
	AgentVersion string
	OS           string
	Arch         string
	Address      string
	EnrolledAt   int64
	Term         uint64
	Version      uint64
	ServedBy     tenancy.RelayID // another relay of the site; zero: this one
	Domain       string          // where that relay says it stands
	SiteKeys     uint64          // sequence of the newest statement of the site's keys that its probe has

	doubt doubt
}

const hostColumns = `id, probe_key, name, machine_id, token, token_labels, labels, state, state_at, agent_version, os, arch, address,
	enrolled_at, term, version, doubt, served_by, domain, site_keys`

func scanHost(scan func(...any) error) (h Host, err error) {
	var id, key, servedBy []byte
	var tokenLabels, labels string
	err = scan(&id, &key, &h.Name, &h.MachineID, &h.Token, &tokenLabels, &labels, &h.State, &h.StateAt, &h.AgentVersion, &h.OS, &h.Arch,
		&h.Address, &h.EnrolledAt, &h.Term, &h.Version, &h.doubt, &servedBy, &h.Domain, &h.SiteKeys)
	if err != nil {
		return Host{}, err
	}
	if len(id) != 16 || len(key) != 32 {
		return Host{}, fmt.Errorf("host %x is damaged", id)
	}
	h.ID.UUID, h.ProbeKey = [16]byte(id), [32]byte(key)
	if len(servedBy) == len(h.ServedBy.UUID) {
		h.ServedBy.UUID = [16]byte(servedBy)
	}
	if h.TokenLabels, err = parseLabels(tokenLabels); err != nil {
		return Host{}, err
	}
	h.Labels, err = parseLabels(labels)
	return h, err
}

// Hosts reads all hosts, ordered by id; also those that other relays of the site
// have.
func (s *Store) Hosts(ctx context.Context) ([]Host, error) {
	return s.hosts(ctx, "SELECT "+hostColumns+" FROM hosts ORDER BY id")
}

// OwnHosts reads the hosts that this relay has, ordered by id.
func (s *Store) OwnHosts(ctx context.Context) ([]Host, error) {
	return s.hosts(ctx, "SELECT "+hostColumns+" FROM hosts WHERE served_by IS NULL ORDER BY id")
}

func (s *Store) hosts(ctx context.Context, query string) ([]Host, error) {
	rows, err := s.readers.QueryContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("reading hosts: %w", err)
	}
	defer rows.Close()
	var hosts []Host
	for rows.Next() {
		host, err := scanHost(rows.Scan)
		if err != nil {
			return nil, fmt.Errorf("reading hosts: %w", err)
		}
		hosts = append(hosts, host)
	}
	return hosts, rows.Err()
}

// Host looks a host up.
func (tx *Tx) Host(id tenancy.HostID) (Host, bool, error) { return tx.host("id", id.UUID[:]) }

// HostByKey looks up whom a probe's key belongs to.
func (tx *Tx) HostByKey(key [32]byte) (Host, bool, error) { return tx.host("probe_key", key[:]) }

func (tx *Tx) host(column string, value []byte) (h Host, found bool, err error) {
	stmt, err := tx.prepared("SELECT " + hostColumns + " FROM hosts WHERE " + column + " = ?")
	if err != nil {
		return Host{}, false, err
	}
	h, err = scanHost(stmt.QueryRowContext(context.Background(), value).Scan)
	if err == sql.ErrNoRows {
		return Host{}, false, nil
	}
	return h, err == nil, err
}

// AddHost admits a host and records it as enrolled.
func (tx *Tx) AddHost(h Host) error {
	h.Term, h.Version = uint64(newTerm(h.EnrolledAt)), 0
	tokenLabels, labels, err := labelTexts(h)
	if err != nil {
		return err
	}
	err = tx.exec("INSERT INTO hosts ("+hostColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, '', 0)",
		h.ID.UUID[:], h.ProbeKey[:], h.Name, h.MachineID, h.Token, tokenLabels, labels, string(h.State), h.StateAt, h.AgentVersion, h.OS,
		h.Arch, h.Address, h.EnrolledAt, int64(h.Term), int64(h.Version))
	if err != nil {
		return fmt.Errorf("adding a host: %w", err)
	}
	return tx.appendHost(h, h.EnrolledAt, true)
}

// Greeting is what a probe says of itself when its session begins.
type Greeting struct {
	Name, AgentVersion, OS, Arch string
	Labels                       map[string]string
	Address                      string
	Term                         uint64 // under which a relay had it last
	SiteKeys                     uint64 // sequence of the newest statement of the site's keys that it has
}

// Greet notes that a host is up, and records it if that or what it says of
// itself is new. found is false for a host that is not, or no longer, known.
//
// Another relay of the site may have had the host since it last spoke to this
// one, under a higher term: the host's term rises with every greeting, or the
// service would take what is said here for old.
func (tx *Tx) Greet(id tenancy.HostID, g Greeting, now int64) (host Host, found bool, err error) {
	h, found, err := tx.Host(id)
	if err != nil || !found {
		return Host{}, false, err
	}
	if g.Name == "" {
		g.Name = h.Name // a record needs one
	}
	news := h.State != uplink.Up || h.Name != g.Name || h.AgentVersion != g.AgentVersion || h.OS != g.OS || h.Arch != g.Arch ||
		!maps.Equal(h.Labels, g.Labels) || h.doubt == unheard || h.SiteKeys != g.SiteKeys
	term := max(h.Term, uint64(newTerm(now)))
	if !h.ServedBy.IsZero() || g.Term > h.Term {
		h.Term = max(h.Term, g.Term)
		if err := tx.comeHere(&h, now); err != nil {
			return Host{}, false, err
		}
		term, news = h.Term, true
	}
	if !news && h.Address == g.Address && h.Term == term {
		return h, true, nil
	}
	if h.Term != term {
		h.Term, h.Version = term, 0
	}
	if h.State != uplink.Up {
		h.State, h.StateAt = uplink.Up, now
	}
	h.Name, h.AgentVersion, h.OS, h.Arch, h.Labels, h.Address, h.SiteKeys = g.Name, g.AgentVersion, g.OS, g.Arch, g.Labels, g.Address, g.SiteKeys
	_, labels, err := labelTexts(h)
	if err != nil {
		return Host{}, false, err
	}
	err = tx.exec(`UPDATE hosts SET name = ?, agent_version = ?, os = ?, arch = ?, labels = ?, address = ?, state = ?, state_at = ?,
		term = ?, version = ?, site_keys = ?, doubt = iif(doubt = 1, 2, doubt) WHERE id = ?`,
		h.Name, h.AgentVersion, h.OS, h.Arch, labels, h.Address, string(h.State), h.StateAt, int64(h.Term), int64(h.Version), int64(h.SiteKeys), id.UUID[:])
	if err != nil {
		return Host{}, false, fmt.Errorf("noting a host's greeting: %w", err)
	}
	if news {
		err = tx.appendHost(h, now, false)
	}
	return h, true, err
}

// SetState notes a host's state, and records it if it is new.
func (tx *Tx) SetState(id tenancy.HostID, state uplink.State, cause string, now int64) error {
	n, err := tx.changed("UPDATE hosts SET state = ?1, state_at = ?2, doubt = iif(doubt = 1, 2, doubt) WHERE id = ?3 AND state <> ?1", string(state), now, id.UUID[:])
	if err != nil || n == 0 {
		return err
	}
	return tx.Append(uplink.Change{
		Type: uplink.HostState, Host: id, SeenAt: now,
		HostState: &uplink.HostStateBody{State: state, Cause: cause},
	})
}

// maxLabels is what a record can carry. Where there are more, the token's come
// before the probe's.
const maxLabels = 64

// AllLabels are the token's and the probe's.
func (h Host) AllLabels() map[string]string {
	labels := map[string]string{}
	maps.Copy(labels, h.TokenLabels)
	for _, key := range slices.Sorted(maps.Keys(h.Labels)) {
		if _, given := labels[key]; !given && len(labels) < maxLabels {
			labels[key] = h.Labels[key]
		}
	}
	return labels
}

// appendHost records a host in full.
func (tx *Tx) appendHost(h Host, at int64, enrolled bool) error {
	return tx.Append(h.record(at, enrolled))
}

// record tells of a host in full. As in Enrolled, that of a new host also carries
// its key and its token.
func (h Host) record(at int64, enrolled bool) uplink.Change {
	body := &uplink.HostStateBody{
		State: h.State, Name: h.Name, AgentVersion: h.AgentVersion, OS: h.OS, Arch: h.Arch, Enrolled: enrolled,
		ProbeKey: h.ProbeKey[:], MachineID: h.MachineID, Labels: h.AllLabels(), SiteKeys: h.SiteKeys,
	}
	change := uplink.Change{Type: uplink.HostState, Host: h.ID, SeenAt: at, Term: h.Term, HostState: body}
	if enrolled {
		change.Token = h.Token
	}
	return change
}

// IsRetired reports whether the service has retired the host.
func (tx *Tx) IsRetired(id tenancy.HostID) (bool, error) {
	var one int
	return tx.row("SELECT 1 FROM retired WHERE id = ?", []any{id.UUID[:]}, &one)
}

// replaceRetired forgets the hosts that ids names, and returns those of them
// that were known.
func (tx *Tx) replaceRetired(ids []tenancy.HostID) ([]tenancy.HostID, error) {
	if err := tx.exec("DELETE FROM retired"); err != nil {
		return nil, err
	}
	var known []tenancy.HostID
	for _, id := range ids {
		if err := tx.exec("INSERT OR IGNORE INTO retired (id) VALUES (?)", id.UUID[:]); err != nil {
			return nil, err
		}
		n, err := tx.changed("DELETE FROM hosts WHERE id = ?", id.UUID[:])
		if err != nil {
			return nil, err
		}
		if n == 0 {
			continue
		}
		known = append(known, id)
		if err := tx.dropFacts(id); err != nil {
			return nil, err
		}
	}
	return known, nil
}

// nextVersion counts one change of a host's facts. found is false for a host
// that is not, or no longer, known.
func (tx *Tx) nextVersion(id tenancy.HostID) (term, version uint64, found bool, err error) {
	found, err = tx.row("UPDATE hosts SET version = version + 1 WHERE id = ? AND served_by IS NULL RETURNING term, version", []any{id.UUID[:]}, &term, &version)
	if err != nil {
		err = fmt.Errorf("counting a change of host %s: %w", id, err)
	}
	return term, version, found, err
}

func labelTexts(h Host) (token, own string, err error) {
	tokenText, err := json.Marshal(h.TokenLabels)
	if err != nil {
		return "", "", err
	}
	ownText, err := json.Marshal(h.Labels)
	return string(tokenText), string(ownText), err
}

// Retired reads the ids of the hosts that the service has retired.
func (s *Store) Retired(ctx context.Context) ([]tenancy.HostID, error) {
	rows, err := s.readers.QueryContext(ctx, "SELECT id FROM retired")
	if err != nil {
		return nil, fmt.Errorf("reading retired hosts: %w", err)
	}
	defer rows.Close()
	var ids []tenancy.HostID
	for rows.Next() {
		var id tenancy.HostID
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("reading retired hosts: %w", err)
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}
