package status

import (
	"time"

	"assimilation/tenancy"
	"assimilation/uplink"
)

// Verdict is one of /verdicts: what stands comes first, then the newest.
type Verdict struct {
	ID         string             `json:"id"`
	Kind       uplink.VerdictKind `json:"kind"`
	Hosts      []VerdictHost      `json:"hosts,omitempty"`
	Count      int                `json:"count,omitempty"`  // of hosts, where they are more
	Domain     string             `json:"domain,omitempty"` // its opaque name, as the service has it
	Place      string             `json:"place,omitempty"`  // what people of the site call it
	LastSign   time.Time          `json:"last_sign,omitzero"`
	At         time.Time          `json:"at"`
	Over       time.Time          `json:"over,omitzero"`
	Ending     string             `json:"ending,omitempty"`
	Cause      string             `json:"cause,omitempty"` // id of the verdict that explains this one
	Confidence int                `json:"confidence"`
	Evidence   []Evidence         `json:"evidence,omitempty"`
}

// VerdictHost is a host of a verdict.
type VerdictHost struct {
	Host tenancy.HostID `json:"host"`
	Name string         `json:"name"`
}

// Evidence is one thing that speaks for a verdict.
type Evidence struct {
	What  string    `json:"what"`
	At    time.Time `json:"at"`
	By    string    `json:"by"` // a host's name, or "the relay"
	About string    `json:"about,omitempty"`
	Age   int64     `json:"age_ms,omitempty"`
	Count uint64    `json:"count,omitempty"`
}

// Rings is the answer of /rings.
type Rings struct {
	Beat  int64                 `json:"beat_ms"`
	Rings []uplink.TopologyRing `json:"rings"`
	Edges []Edge                `json:"edges"`
}

// Edge is between two neighbours.
type Edge struct {
	Level string     `json:"level"`
	Ends  [2]Watcher `json:"ends"`
}

// Watcher is one end of an edge, and what it says of the other.
type Watcher struct {
	Host    tenancy.HostID `json:"host,omitzero"` // none: the relay
	Name    string         `json:"name"`
	Adopted bool           `json:"adopted"`
	Says    string         `json:"says"` // new, heard, missed, refused, left
	Said    time.Time      `json:"said_at,omitzero"`
	Late    int            `json:"late,omitempty"` // of its own last 16 beats
	Lost    uint64         `json:"lost,omitempty"` // beats of the other's that never came
}
