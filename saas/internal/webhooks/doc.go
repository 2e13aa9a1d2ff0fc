// Package webhooks calls addresses of a tenant when something happens, by Standard
// Webhooks 1.0 (https://www.standardwebhooks.com).
//
//	events (numbered) -> place of the endpoint -> messages -> tries -> delivered, or given up
//
// An endpoint has a place in the events. What comes after it is made into messages,
// some at a time, so an endpoint that is down for long costs a bounded number of
// rows and loses nothing: the rest waits in the events. Each message is tried until
// the endpoint takes it, over three days; each try is noted. An endpoint that takes
// nothing for five days is turned off, which is an event by itself.
//
// A message comes at least once, always under the same webhook-id.
//
// Any number of processes may send: a lease in the endpoint's row lets one at a
// time.
package webhooks
