package beat

import "time"

// stepFrom is the jump of the wall clock that is worth a word; the slewing of an
// NTP client is at most 0.5 ms per second (adjtime(3)).
const stepFrom = 2 * time.Second

// clock compares the wall clock's progress with the monotonic one's. A machine
// that was suspended shows as a step too: the monotonic clock stood still.
type clock struct {
	last, lastWall time.Time
	wall           func(now time.Time) time.Time
	stepped        time.Duration // sum of the jumps that no relay knows of
}

func newClock() clock {
	return clock{wall: func(now time.Time) time.Time { return now.Round(0) }} // which strips the monotonic reading
}

// look compares, and reports whether the wall clock has jumped.
func (c *clock) look(now time.Time) bool {
	wall := c.wall(now)
	jump := wall.Sub(c.lastWall) - now.Sub(c.last)
	first := c.last.IsZero()
	c.last, c.lastWall = now, wall
	if first || jump.Abs() <= stepFrom {
		return false
	}
	c.stepped += jump
	return true
}
