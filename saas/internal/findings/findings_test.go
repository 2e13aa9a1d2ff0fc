package findings

import (
	"testing"
	"time"

	"assimilation/tenancy"
)

func FuzzCursor(f *testing.F) {
	f.Add(makeCursor(Finding{OpenedAt: time.Unix(1, 2000), HostID: tenancy.NewID[tenancy.HostID](), Rule: "refused-fact", Subject: "x/\ny"}))
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, cursor string) {
		if p, err := parseCursor(cursor); err == nil && cursor != "" && p.openedAt == nil {
			t.Errorf("%q is taken and says no time", cursor)
		}
	})
}
