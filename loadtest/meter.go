package loadtest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Cost is what the relay says of itself.
type Cost struct {
	CPU     time.Duration
	RSS     int64 // bytes
	Dropped map[string]float64
	Backlog uint64 // records that the service has not acknowledged
	Hosts   int
}

var client = &http.Client{Timeout: 10 * time.Second}

// Ask reads the relay's local /metrics and /status.
func Ask(ctx context.Context, address string) (Cost, error) {
	cost := Cost{Dropped: map[string]float64{}}
	body, err := get(ctx, address, "/metrics")
	if err != nil {
		return cost, err
	}
	defer body.Body.Close()
	lines := bufio.NewScanner(body.Body)
	for lines.Scan() {
		name, text, ok := strings.Cut(lines.Text(), " ")
		if reason, labelled := strings.CutPrefix(lines.Text(), `assim_relay_datagrams_dropped_total{reason="`); labelled {
			name, text, ok = strings.Cut(reason, `"} `)
			if value, err := strconv.ParseFloat(text, 64); ok && err == nil {
				cost.Dropped[name] = value
			}
			continue
		}
		value, err := strconv.ParseFloat(text, 64)
		if !ok || err != nil {
			continue
		}
		switch name {
		case "process_cpu_seconds_total":
			cost.CPU = time.Duration(value * float64(time.Second))
		case "process_resident_memory_bytes":
			cost.RSS = int64(value)
		}
	}
	if err := lines.Err(); err != nil {
		return cost, fmt.Errorf("reading the relay's metrics: %w", err)
	}
	status, err := get(ctx, address, "/status")
	if err != nil {
		return cost, err
	}
	defer status.Body.Close()
	var report struct {
		Hosts  map[string]int `json:"hosts"`
		Outbox struct {
			Backlog uint64 `json:"backlog"`
		} `json:"outbox"`
	}
	if err := json.NewDecoder(status.Body).Decode(&report); err != nil {
		return cost, fmt.Errorf("reading the relay's status: %w", err)
	}
	cost.Backlog = report.Outbox.Backlog
	for _, n := range report.Hosts {
		cost.Hosts += n
	}
	return cost, nil
}

func get(ctx context.Context, address, path string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("asking the relay: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		response.Body.Close()
		return nil, fmt.Errorf("asking the relay for %s: %s", path, response.Status)
	}
	return response, nil
}
