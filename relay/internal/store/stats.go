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
}

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
	err = s.readers.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM facts WHERE hash IS NOT NULL), (SELECT count(*) FROM bodies),
		(SELECT count(*) FROM tokens)`).Scan(&stats.Facts, &stats.Bodies, &stats.Tokens)
	if err != nil {
		return Stats{}, fmt.Errorf("counting facts: %w", err)
	}
	return stats, nil
}
