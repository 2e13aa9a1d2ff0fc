package project_test

import (
	"testing"

	"assimilation/cmdb"
	"assimilation/discovery"
	"assimilation/discovery/certificates"
	"assimilation/discovery/certificates/project"
)

// one projects a host's word on a certificate that lies in a file of its.
func one(t *testing.T, host string, c certificates.Certificate) cmdb.Vertex {
	t.Helper()
	c.Paths = []string{"/etc/ssl/" + host + ".pem"}
	fact, err := discovery.NewFact(certificates.Kind, "", certificates.Facts{Certificates: []certificates.Certificate{c}})
	if err != nil {
		t.Fatal(err)
	}
	e, err := project.Projector{}.Project(discovery.HostRef{ID: host}, fact)
	if err != nil || len(e.Vertices) != 1 {
		t.Fatalf("%v, %v", e, err)
	}
	return e.Vertices[0]
}

// A host cannot change what is shown of the certificate of another.
func TestALieIsAnotherCertificate(t *testing.T) {
	honest := certificates.Certificate{SHA256: "ab", Subject: "CN=www", NotAfter: "2026-12-01T00:00:00Z"}
	a, b := one(t, "a", honest), one(t, "b", honest)
	if a.Ref != b.Ref || a.Props["sha256"] != "ab" {
		t.Errorf("what two hosts say alike is %v and %v", a, b)
	}
	lie := honest
	lie.NotAfter = "2099-12-01T00:00:00Z"
	if c := one(t, "c", lie); c.Ref == a.Ref {
		t.Errorf("a host that says %v replaces %v", c.Props, a.Props)
	}
}

// Postgres has no year 0, and a query that meets one fails for the whole tenant.
func TestYearsThatPostgresHas(t *testing.T) {
	for said, want := range map[string]any{
		"0000-01-01T00:00:00Z": "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00": "0001-01-01T00:00:00Z",
		"9999-12-31T23:59:59-01:00": "9999-12-31T23:59:59Z", "2026-12-01T01:00:00+01:00": "2026-12-01T00:00:00Z",
		"": nil, "infinity": nil,
	} {
		if got := one(t, "a", certificates.Certificate{SHA256: "ab", NotAfter: said}).Props["not_after"]; got != want {
			t.Errorf("%q is %v, want %v", said, got, want)
		}
	}
}
