package wire_test

import (
	"testing"

	"assimilation/discovery"
	"assimilation/tenancy"
	"assimilation/wire"
)

func TestLimitsAgreeWithTheirPackages(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want int
	}{
		{"MaxBody", wire.MaxBody, discovery.MaxBody},
		{"MaxKind", wire.MaxKind, discovery.MaxKindName},
		{"MaxInstance", wire.MaxInstance, discovery.MaxInstance},
		{"TokenIDSize", wire.TokenIDSize, tenancy.TokenIDLength},
		{"SecretSize", wire.SecretSize, tenancy.SecretSize},
	} {
		if c.got != c.want {
			t.Errorf("%s is %d, in its own package %d", c.name, c.got, c.want)
		}
	}
}
