package store

import (
	"context"
	"fmt"

	"assimilation/uplink"
)

// Stats are counts for people and metrics.
type Stats struct {
	Hosts  map[uplink.State]int
	Facts  int
	Bodies int
	Tokens int
	Agents map[string]int // versions of probes, at most maxAgents of them
}

// maxAgents bounds what probes say of themselves; a site has two or three.
const maxAgents = 20

// Stats counts.
func (s *Store) Stats(ctx context.Context) (Stats, error) {
	stats := Stats{Hosts: map[uplink.State]int{
		uplink.Up: 0, uplink.Silent: 0, uplink.ShutDown: 0, uplink.Down: 0, uplink.AgentDown: 0, uplink.Unresponsive: 0, uplink.Unreachable: 0,
	}}
	rows, err := s.readers.QueryContext(ctx, "SELECT state, count(*) FROM hosts WHERE served_by IS NULL GROUP BY state")
	if err != nil {
		return Stats{}, fmt.Errorf("counting hosts: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var state uplink.State
		var count int
		if err := rows.Scan(&state, &count); err != nil {
			return Stats{}, fmt.Errorf("counting hosts: %w", err)
		}
		stats.Hosts[state] = count
	}
	if err := rows.Err(); err != nil {
		return Stats{}, fmt.Errorf("counting hosts: %w", err)
	}
	if stats.Agents, err = s.agents(ctx); err != nil {
		return Stats{}, err
	}
	err = s.readers.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM facts WHERE hash IS NOT NULL), (SELECT count(*) FROM bodies),
		(SELECT count(*) FROM tokens)`).Scan(&stats.Facts, &stats.Bodies, &stats.Tokens)
	if err != nil {
		return Stats{}, fmt.Errorf("counting facts: %w", err)
	}
	return stats, nil
}

// agents counts the versions of probes, the most frequent of them.
func (s *Store) agents(ctx context.Context) (map[string]int, error) {
	rows, err := s.readers.QueryContext(ctx, `SELECT agent_version, count(*) AS n FROM hosts WHERE served_by IS NULL AND agent_version <> ''
		GROUP BY agent_version ORDER BY n DESC, agent_version LIMIT ?`, maxAgents)
	if err != nil {
		return nil, fmt.Errorf("counting versions of probes: %w", err)
	}
	defer rows.Close()
	agents := map[string]int{}
	for rows.Next() {
		var version string
		var count int
		if err := rows.Scan(&version, &count); err != nil {
			return nil, fmt.Errorf("counting versions of probes: %w", err)
		}
		agents[version] = count
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("counting versions of probes: %w", err)
	}
	return agents, nil
}
