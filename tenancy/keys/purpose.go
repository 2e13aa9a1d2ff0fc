package keys

import "assimilation/tenancy"

// The purposes under which private keys are wrapped. They are part of the
// stored format: they never change.

// OfTenant is the purpose of a tenant's private HPKE key
// (assim.tenants.seal_private).
func OfTenant(t tenancy.TenantID) string { return "seal key of tenant " + t.String() }

// OfSite is the purpose of a site's private Ed25519 key
// (assim.sites.site_private and next_private).
func OfSite(s tenancy.SiteID) string { return "key of site " + s.String() }

// OfSiteSecret is the purpose of what the relays of a site share, where that is no more
// made of the site's key (assim.sites.site_secret).
func OfSiteSecret(s tenancy.SiteID) string { return "secret of site " + s.String() }

// OfSecondFactor is the purpose of a person's TOTP secret
// (assim.users.totp_secret).
func OfSecondFactor(u tenancy.UserID) string { return "second factor of user " + u.String() }

// OfIdentityProvider is the purpose of the secret by which the service logs in to
// a tenant's identity provider (assim.identity_providers.client_secret).
func OfIdentityProvider(t tenancy.TenantID) string {
	return "identity provider of tenant " + t.String()
}

// OfExporter is the purpose of what opens a collector that a tenant's data is
// sent to (assim.exporters.secret).
func OfExporter(t tenancy.TenantID, e tenancy.ExporterID) string {
	return "exporter " + e.String() + " of tenant " + t.String()
}

// OfWebhook is the purpose of what signs the messages of a webhook
// (assim.webhooks.secret and previous_secret).
func OfWebhook(t tenancy.TenantID, w tenancy.WebhookID) string {
	return "secret of webhook " + w.String() + " of tenant " + t.String()
}

// OfAnswer is the purpose of an answer that is kept for a request that is
// repeated (assim.answers.answer).
func OfAnswer(t tenancy.TenantID) string { return "answer of tenant " + t.String() }
