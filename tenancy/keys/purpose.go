package keys

import "assimilation/tenancy"

// The purposes under which private keys are wrapped. They are part of the
// stored format: they never change.

// OfTenant is the purpose of a tenant's private HPKE key
// (assim.tenants.seal_private).
func OfTenant(t tenancy.TenantID) string { return "seal key of tenant " + t.String() }

// OfSite is the purpose of a site's private Ed25519 key
// (assim.sites.site_private).
func OfSite(s tenancy.SiteID) string { return "key of site " + s.String() }
