package enrol

import (
	"encoding/hex"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"assimilation/relay/internal/limit"
	"assimilation/relay/internal/store"
	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

// Strangers choose keys and tokens freely, so what is written about them is
// bounded twice: once per thing said, and in all.
const (
	repeatAfter   = 10 * time.Minute
	maxRemembered = 4096
	perSecond     = 1
	atOnce        = 100
)

// Desk admits probes and reports those that it turns away.
type Desk struct {
	// Later runs what may have to wait for the store, where that must not be
	// waited for; nil: it is waited for.
	Later func(func())

	site    tenancy.SiteID
	store   *store.Store
	log     *slog.Logger
	refused *prometheus.CounterVec // by reason
	said    *limit.Table[statement]
	all     *rate.Limiter
	waiting *waiting
}

// statement is what is said once in a while only.
type statement struct {
	who    [32]byte // probe key, or its fingerprint
	token  string
	reason wire.Reason
}

// NewDesk makes the desk of a site. refused has the label "reason".
func NewDesk(site tenancy.SiteID, s *store.Store, log *slog.Logger, refused *prometheus.CounterVec) *Desk {
	return &Desk{
		site: site, store: s, log: log, refused: refused,
		said: limit.NewTable[statement](repeatAfter, 1, maxRemembered), all: rate.NewLimiter(perSecond, atOnce),
		waiting: newWaiting(),
	}
}

// Applicant is a probe with its token.
type Applicant struct {
	Key     [32]byte // proved by the handshake
	Address netip.AddrPort
	Enrol   *wire.Enrol
}

// Verdict is the answer. Host is set when Reason is Accepted; New when the
// host was not enrolled before.
type Verdict struct {
	Reason wire.Reason
	Host   store.Host
	New    bool
}

// HostID is the id that a probe's key has in this site.
func (d *Desk) HostID(key [32]byte) tenancy.HostID { return HostID(d.site, key) }

// Admit judges an applicant and, in the same transaction, counts the use,
// admits the key and records both. done is called from the store's writer, once
// that is durable, and must not block.
func (d *Desk) Admit(a Applicant, now time.Time, done func(Verdict, error)) {
	var verdict Verdict
	d.store.Submit(func(tx *store.Tx) (err error) {
		verdict, err = d.admit(tx, a, now.UnixMilli())
		return err
	}, func(err error) { done(verdict, err) })
}

func (d *Desk) admit(tx *store.Tx, a Applicant, now int64) (Verdict, error) {
	id := d.HostID(a.Key)
	if retired, err := tx.IsRetired(id); err != nil || retired {
		return Verdict{Reason: wire.Revoked}, err
	}
	if host, found, err := tx.HostByKey(a.Key); err != nil || found {
		return Verdict{Host: host}, err // an answer was lost: no second use
	}
	if a.Enrol.HostName == "" {
		return Verdict{Reason: wire.Malformed}, nil
	}
	token, found, err := tx.Token(a.Enrol.TokenID)
	if err != nil {
		return Verdict{}, err
	}
	if reason := judge(token, found, a.Enrol.Secret, a.Enrol.Time, now); reason != wire.Accepted {
		return Verdict{Reason: reason}, nil
	}
	host := store.Host{
		ID: id, ProbeKey: a.Key, Name: a.Enrol.HostName, MachineID: a.Enrol.MachineID, Token: token.ID, TokenLabels: token.Labels,
		State: uplink.Up, StateAt: now, Address: a.Address.String(), EnrolledAt: now,
	}
	if err := tx.AddHost(host); err != nil {
		return Verdict{}, err
	}
	if err := tx.SpendToken(token.ID, id, now); err != nil {
		return Verdict{}, err
	}
	host, _, err = tx.Host(id)
	return Verdict{Host: host, New: true}, err
}

// Report logs and records the refusal of an applicant.
func (d *Desk) Report(a Applicant, reason wire.Reason, now time.Time) {
	d.refused.WithLabelValues(reason.String()).Inc()
	if !d.worth(statement{a.Key, a.Enrol.TokenID, reason}, now) {
		return
	}
	d.log.Warn("enrolment refused", "reason", reason, "host", a.Enrol.HostName, "address", a.Address, "token", a.Enrol.TokenID)
	d.record(uplink.Change{
		Type: uplink.Refusal, SeenAt: now.UnixMilli(), Token: a.Enrol.TokenID,
		Refusal: &uplink.RefusalBody{Subject: "enrolment", Reason: reason, From: a.Enrol.HostName, Detail: "from " + a.Address.String()},
	})
}

// stuckFor are the reasons for which a probe may be unable to ask. Any other number
// in an announce is a stranger's invention, and would become a label.
var stuckFor = []wire.Reason{wire.Malformed, wire.Expired, wire.WrongSite, wire.ClockSkew, wire.Unsupported, wire.WrongKind, wire.BadSignature, wire.KeyRetired}

// Announced notes a probe that looks for a relay, for Waiting.
func (d *Desk) Announced(announce wire.Announce, from netip.AddrPort, now time.Time) {
	d.waiting.note(announce, from, now)
	d.stuck(announce, from, now)
}

// Waiting lists the probes that announced themselves in the last two minutes,
// also those that have become hosts meanwhile.
func (d *Desk) Waiting(now time.Time) []Waiting { return d.waiting.list(now) }

// stuck logs and records what a probe that cannot even ask says of itself when
// it announces: that its token is damaged, or of another site. Nothing of it
// is proved.
func (d *Desk) stuck(announce wire.Announce, from netip.AddrPort, now time.Time) {
	if !slices.Contains(stuckFor, announce.Reason) {
		return
	}
	d.refused.WithLabelValues(announce.Reason.String()).Inc()
	if !d.worth(statement{who: announce.Fingerprint, reason: announce.Reason}, now) {
		return
	}
	probe := hex.EncodeToString(announce.Fingerprint[:8])
	d.log.Warn("a probe says that it cannot enrol", "reason", announce.Reason, "address", from, "probe", probe)
	d.record(uplink.Change{
		Type: uplink.Refusal, SeenAt: now.UnixMilli(),
		Refusal: &uplink.RefusalBody{Subject: "enrolment", Reason: announce.Reason, From: from.Addr().String(), Detail: "said by probe " + probe},
	})
}

func (d *Desk) worth(s statement, now time.Time) bool {
	return d.said.Allow(s, now) && d.all.AllowN(now, 1)
}

func (d *Desk) record(c uplink.Change) {
	if d.Later != nil {
		d.Later(func() { d.submit(c) })
		return
	}
	d.submit(c)
}

func (d *Desk) submit(c uplink.Change) {
	d.store.Submit(func(tx *store.Tx) error { return tx.Append(c) }, func(err error) {
		if err != nil {
			d.log.Error("recording a refusal", "error", err)
		}
	})
}
