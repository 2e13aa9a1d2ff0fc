package uplink

import (
	"fmt"
	"time"
)

// Ephemeral is the label of hosts that are taken out of the estate by themselves,
// once they were not up for as long as it says: "90m", "24h".
const Ephemeral = "ephemeral"

// Bounds of that time: a restart must not end a host's life.
const (
	ShortestEphemeral = 5 * time.Minute
	LongestEphemeral  = 366 * 24 * time.Hour
)

// ParseEphemeral reads the label.
func ParseEphemeral(label string) (time.Duration, error) {
	d, err := time.ParseDuration(label)
	if err != nil || d < ShortestEphemeral || d > LongestEphemeral {
		return 0, fmt.Errorf("the label %s is a time of 5m to 8784h, such as 24h", Ephemeral)
	}
	return d, nil
}
