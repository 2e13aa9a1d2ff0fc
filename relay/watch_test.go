package relay

import (
	"testing"

	"assimilation/tenancy"
)

// TestVerdictsAreNamedAsInTheService: who is told a verdict at the site asks the
// service for it by the same name.
func TestVerdictsAreNamedAsInTheService(t *testing.T) {
	id := tenancy.NewID[tenancy.VerdictID]()
	if got := verdictID(id.UUID[:]); got != id.String() {
		t.Errorf("%s is named %s", id, got)
	}
	if got := verdictID(nil); got != "" {
		t.Errorf("no verdict is named %q", got)
	}
}
