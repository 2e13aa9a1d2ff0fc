package events

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// detail is what events of all types say, as the storage core and the sites
// write it. A type leaves most of it out.
type detail struct {
	Name         string `json:"name"`
	AgentVersion string `json:"agent_version"`
	Cause        string `json:"cause"`
	Version      string `json:"version"`
	Token        string `json:"token"`

	// Refusals.
	Subject  string `json:"subject"`
	Reason   string `json:"reason"`
	From     string `json:"from"`
	Kind     string `json:"kind"`
	Instance string `json:"instance"`
	Cleared  bool   `json:"cleared"`
	Detail   string `json:"detail"`

	// Verdicts; Kind is the verdict's.
	Hosts      int64     `json:"hosts"`
	Confidence int       `json:"confidence"`
	Since      time.Time `json:"since"`
	Ending     string    `json:"ending"`
}

// Say tells an event in a line; "" when its type says all.
func (s *Service) Say(kind string, detail json.RawMessage) string { return summary(kind, detail) }

// summary says an event in a line; "" when its type says all.
func summary(kind string, raw json.RawMessage) string {
	var d detail
	if json.Unmarshal(raw, &d) != nil {
		return "" // of a newer version: the raw detail stands beside
	}
	if strings.HasPrefix(kind, "refusal") {
		return d.refusal()
	}
	if strings.HasPrefix(kind, "verdict.") {
		return d.verdict(kind)
	}
	if kind == "host.shut-down" && d.Cause == "signal" {
		d.Cause = "its probe was stopped"
	}
	var parts []string
	for _, p := range []struct{ before, text string }{
		{"", d.Cause}, {"probe ", d.AgentVersion}, {"version ", d.Version}, {"with token ", d.Token}, {"", d.Detail},
	} {
		if p.text != "" {
			parts = append(parts, p.before+p.text)
		}
	}
	return strings.Join(parts, ", ")
}

// refusal is "fact packages/3 refused: too large (9 MB)".
func (d detail) refusal() string {
	text := d.Subject
	if d.Kind != "" {
		text += " " + strings.TrimSuffix(d.Kind+"/"+d.Instance, "/")
	}
	if d.From != "" {
		text += " of " + d.From
	}
	if d.Token != "" {
		text += " with token " + d.Token
	}
	if d.Cleared {
		text += " is no longer refused"
	} else {
		text += " refused"
	}
	text += ": " + d.Reason
	if d.Detail != "" && d.Detail != d.Reason {
		text += " (" + d.Detail + ")"
	}
	return text
}

// verdict is "host down: web1, last sign of life 12:00:03 UTC, confidence 95 %", or
// "switch down is over: back, 48 hosts".
func (d detail) verdict(kind string) string {
	text := d.Kind
	switch kind {
	case "verdict.over":
		text += " is over: " + d.Ending
	case "verdict.explained":
		return text + " explained: " + d.Ending
	}
	var parts []string
	switch {
	case d.Name != "":
		parts = append(parts, d.Name)
	case d.Hosts == 1:
		parts = append(parts, "1 host")
	case d.Hosts > 1:
		parts = append(parts, fmt.Sprintf("%d hosts", d.Hosts))
	}
	if kind != "verdict.over" {
		if !d.Since.IsZero() {
			parts = append(parts, "last sign of life "+d.Since.UTC().Format("15:04:05 UTC"))
		}
		if d.Confidence > 0 {
			parts = append(parts, fmt.Sprintf("confidence %d %%", d.Confidence))
		}
	}
	for i, p := range parts {
		if i == 0 && kind != "verdict.over" {
			text += ": " + p
		} else {
			text += ", " + p
		}
	}
	return text
}
