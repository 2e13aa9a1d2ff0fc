package web

import (
	"net/http"
	"time"
)

// Moment reads a time of a page's address. The field of a form has no zone and is
// UTC. Nothing is the zero time, which is now.
func Moment(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, NewProblem(http.StatusUnprocessableEntity, Invalid, "that is no time such as 2026-01-31T12:00:00Z")
}
