// Package canary proves that nobody on the way can read along: strings that
// occur nowhere else are planted in facts and in the enrolment, and looked for
// in everything that crosses a wire.
//
//	probe ──UDP, captured──► relay ──HTTPS──► proxy that ends TLS, records ──► service
//
// A search that finds nothing proves nothing unless it can find: the same
// search runs over what the records hold once opened with the keys, and over
// what the probe says to a relay that writes down what it decrypts. There all
// canaries must be found.
package canary
