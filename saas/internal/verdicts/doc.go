// Package verdicts shows what died, and why: what relays concluded of their
// hosts, with the evidence in codes and in words, and what the service itself
// concludes of relays that it does not hear (site dark, relay stopped).
//
// Ingest writes the rows of relays (assim.verdicts, assim.verdict_hosts); the
// service's own have no relay and are written here, by Watch.
package verdicts
