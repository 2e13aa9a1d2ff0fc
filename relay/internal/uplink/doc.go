// Package uplink is the relay's end of the way to the service: it enrols the
// relay, forwards the outbox batch by batch, and asks for orders. Everything
// goes out, over one HTTPS host; everything is sealed to the tenant's key and
// every answer must be signed by the site's, so that nothing that a proxy says
// in the clear can do more than delay.
package uplink
