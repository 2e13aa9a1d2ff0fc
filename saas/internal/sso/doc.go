// Package sso lets people in by their tenant's own identity provider (OpenID
// Connect, authorization code with PKCE), and keeps what a tenant demands of
// everybody who comes in: a second factor, or single sign-on only.
//
//	browser -> /sso (address) or /sso/<tenant> -> attempt, cookie -> provider
//	provider -> /sso/<tenant>/callback -> attempt used up -> code for ID token
//	         -> who is it, which role -> session, good for this tenant only
//
// What a provider says is believed for its own tenant and nothing else: a person
// is known by (tenant, issuer, subject), not by an e-mail address that any
// provider could claim. An address, which the provider must call verified, only
// finds who was invited already, or lets somebody new in when its domain was
// proved to be the tenant's by a DNS record. No provider makes owners.
//
// Each tenant has its own redirect address, the attempt is bound to the browser
// by a cookie, to the answer by state, to the ID token by nonce and to the code
// by PKCE; an answer that names another issuer (RFC 9207) is refused.
package sso
