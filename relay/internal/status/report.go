// Package status is what the relay says of itself to people and to monitoring, on
// loopback: /livez, /readyz, /metrics, /status, /probes, /pending, /topology,
// /preview, /verdicts, /rings, /cluster and /downloads. All are read-only but the
// last, which takes files that the service has told the relay to hand out.
package status

import (
	"time"

	"assimilation/relay/internal/handout"
	"assimilation/tenancy"
	"assimilation/uplink"
)

// Report is the answer of /status.
type Report struct {
	Version    string               `json:"version"`
	Phase      Phase                `json:"phase"`
	Problem    string               `json:"problem,omitempty"` // why it is not serving
	Started    time.Time            `json:"started"`
	Relay      *tenancy.RelayID     `json:"relay,omitempty"`
	Site       *tenancy.SiteID      `json:"site,omitempty"`
	SiteName   string               `json:"site_name,omitempty"`
	Service    string               `json:"service,omitempty"`
	Certified  time.Time            `json:"certificate_expires,omitzero"`
	Address    string               `json:"address,omitempty"` // where probes reach it
	Hosts      map[uplink.State]int `json:"hosts,omitempty"`
	Versions   map[string]int       `json:"probe_versions,omitempty"` // of the probes here, and how many have it
	Install    *handout.Report      `json:"install,omitempty"`        // where hosts get their probe
	Sessions   int                  `json:"sessions"`
	Facts      int                  `json:"facts"`
	Tokens     int                  `json:"tokens"`
	Outbox     Outbox               `json:"outbox"`
	Batches    Exchange             `json:"batches"`
	Orders     Exchange             `json:"orders"`
	OrdersAt   time.Time            `json:"orders_applied_at,omitzero"`
	OrdersDone uint64               `json:"orders_revision"`
}

// Phase is what the relay is doing.
type Phase string

// The phases.
const (
	Starting  Phase = "starting"
	Enrolling Phase = "enrolling"
	Serving   Phase = "serving"
	Revoked   Phase = "revoked"
	Stopping  Phase = "stopping"
)

// Outbox is how far the service is behind.
type Outbox struct {
	Epoch     uint64 `json:"epoch"`
	Last      uint64 `json:"last"`
	Acked     uint64 `json:"acked"`
	Backlog   uint64 `json:"backlog"`
	Bytes     int64  `json:"bytes"`
	Resyncing bool   `json:"resyncing"`
}

// Exchange is how one conversation with the service goes.
type Exchange struct {
	LastOK time.Time `json:"last_ok,omitzero"`
	Error  string    `json:"error,omitempty"`
	Since  time.Time `json:"error_since,omitzero"`
}

// Probe is one row of /probes.
type Probe struct {
	Host     tenancy.HostID `json:"host"`
	Name     string         `json:"name"`
	State    uplink.State   `json:"state"`
	StateAt  time.Time      `json:"state_at"`
	Agent    string         `json:"agent_version"`
	OS       string         `json:"os"`
	Arch     string         `json:"arch"`
	Address  string         `json:"address"`
	Token    string         `json:"token"`
	Enrolled time.Time      `json:"enrolled_at"`
	Facts    uint64         `json:"version"` // rises with every change of a fact
}

// Pending is one row of /pending: a probe that announces itself and is no host
// of this site. Nothing of it is proved.
type Pending struct {
	Fingerprint string    `json:"fingerprint"` // SHA-256 of the probe's key, hexadecimal
	Address     string    `json:"address"`
	Reason      string    `json:"reason,omitempty"` // why it is stuck
	First       time.Time `json:"first_seen_at"`
	Last        time.Time `json:"last_seen_at"`
}
