package send

import (
	"errors"
	"time"

	"assimilation/wire"
	"assimilation/wire/link"
)

// reporting is the one report of neighbours that may be under way: a newer one
// waits, and is made when it can be sent, so that it tells the newest.
type reporting struct {
	id    uint32
	sent  *wire.Report
	wait  bool      // for the relay's word
	retry time.Time // not before; zero: at once
}

// land takes the report out of the air; false if the message was none.
func (r *reporting) land(id uint32) bool {
	if !r.wait || r.id != id {
		return false
	}
	r.wait = false
	return true
}

func (c *Conversation) sendReport(now time.Time) {
	if c.report.wait || now.Before(c.report.retry) {
		return
	}
	c.report.retry = time.Time{}
	r := c.outside.Report(now)
	if r == nil {
		return
	}
	id, err := c.link.Send(now, r)
	switch {
	case err == nil:
		c.report.id, c.report.sent, c.report.wait = id, r, true
	case errors.Is(err, link.ErrExhausted):
		c.finish(End{Why: "session is worn out", Rekey: true})
	default:
		c.outside.Reported(r, false)
		c.report.retry = now.Add(reportRetry)
	}
}

func (c *Conversation) reportRefused(now time.Time, reason wire.Reason) {
	c.log.Warn("relay refused a report of neighbours", "reason", reason.String())
	if reason.Temporary() {
		c.outside.Reported(c.report.sent, false)
		c.report.retry = now.Add(reportRetry)
	}
}
