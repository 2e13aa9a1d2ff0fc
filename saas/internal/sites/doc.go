// Package sites is a tenant's places: sites with their keys, the relays that
// joined them, and the tokens by which relays and probes join.
//
// People reach it by /v1 (api.go). Relays reach it by sealed envelopes: they
// enrol with a relay token (enrol.go) and then ask for orders (orders.go), a
// snapshot of everything the service wants of them. Whatever a relay must hear
// of raises its site's orders revision in the same transaction, and a notice
// wakes the relays that wait.
//
//	token     --enrol--> relay row, certificate signed by the site's key (90 days)
//	revision  --orders-> tokens with allowances, retired hosts, certificate anew
//	revoke    --orders-> Revoked: the relay stops
package sites
