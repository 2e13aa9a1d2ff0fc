package webhooks

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"assimilation/tenancy"
	"assimilation/tenancy/store"
	"assimilation/tenancy/store/storetest"
)

// The rows of a tenant that is being dropped say that its endpoints are awake.
func TestADroppedTenantIsNoFailure(t *testing.T) {
	var said strings.Builder
	s := &Service{Config: Config{DB: storetest.Open(t), Log: slog.New(slog.NewTextHandler(&said, nil))}}
	gone := awake{tenancy.NewID[tenancy.TenantID](), tenancy.NewID[tenancy.WebhookID]()}
	if err := s.serve(t.Context(), gone.Tenant, gone.ID); !errors.Is(err, store.ErrUnknownTenant) {
		t.Fatalf("serving it: %v", err)
	}
	if s.take(t.Context(), gone); said.Len() > 0 {
		t.Errorf("the log says %s", said.String())
	}
	s.DB.Close()
	if s.take(t.Context(), gone); !strings.Contains(said.String(), "level=ERROR") {
		t.Errorf("of a database that is closed the log says %q", said.String())
	}
}
