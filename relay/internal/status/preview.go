package status

import (
	"net/http"
	"net/url"
	"strconv"

	"assimilation/tenancy"
	"assimilation/uplink"
)

// Preview is the answer of /preview: what would leave the site if everything
// were told now.
type Preview struct {
	Residency uplink.Residency `json:"residency"`
	Waiting   uint64           `json:"waiting"` // records that are in the outbox
	Records   []Leaving        `json:"records"`
	More      bool             `json:"more,omitempty"` // there are more than were asked for
	Held      []Held           `json:"held"`
	Labels    map[string]int   `json:"held_labels"` // hosts by the name of a label of theirs that stays
}

// Leaving is one record, without the numbers that it gets when it is told.
type Leaving struct {
	Type     string         `json:"type"` // host state, fact put, fact gone
	Host     tenancy.HostID `json:"host"`
	Kind     string         `json:"kind,omitempty"`
	Instance string         `json:"instance,omitempty"`
	Schema   uint8          `json:"schema,omitempty"`
	Hash     string         `json:"hash,omitempty"`
	// Body is the fact's, byte for byte.
	Body  string     `json:"body,omitempty"`
	State *HostState `json:"state,omitempty"`
}

// HostState is what a record says of a host itself.
type HostState struct {
	State     uplink.State      `json:"state"`
	Name      string            `json:"name"`
	Agent     string            `json:"agent_version"`
	OS        string            `json:"os"`
	Arch      string            `json:"arch"`
	Labels    map[string]string `json:"labels"`
	MachineID string            `json:"machine_id,omitempty"`
	ProbeKey  string            `json:"probe_key"`
}

// Held is what stays of a kind, and why.
type Held struct {
	Kind   string `json:"kind"`
	Schema int    `json:"schema"`
	Facts  int    `json:"facts"`
	Hosts  int    `json:"hosts"`
	Why    string `json:"why"`
}

// Choice chooses what a preview shows; zero values are all.
type Choice struct {
	Host  string // id or name
	Kind  string
	Limit int
}

const (
	previewLimit = 1000
	// MaxPreview is how many records a preview shows at most.
	MaxPreview = 100_000
)

func choiceOf(query url.Values) Choice {
	c := Choice{Host: query.Get("host"), Kind: query.Get("kind"), Limit: previewLimit}
	if n, err := strconv.Atoi(query.Get("limit")); err == nil && n > 0 {
		c.Limit = min(n, MaxPreview)
	}
	return c
}

// Path is where the choice is asked for.
func (c Choice) Path() string {
	query := url.Values{}
	for name, value := range map[string]string{"host": c.Host, "kind": c.Kind, "limit": strconv.Itoa(c.Limit)} {
		if value != "" {
			query.Set(name, value)
		}
	}
	return (&url.URL{Path: "/preview", RawQuery: query.Encode()}).String()
}

func preview(source Source, r *http.Request) (Preview, error) {
	return source.Preview(choiceOf(r.URL.Query()))
}
