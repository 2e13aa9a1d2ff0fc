// Package topology asks a site's relays how the site is wired, shows what they
// answer, and stores nothing of it.
//
//	who asks -> role, limits, audit -> a row in assim.questions, a notice
//	   -> every relay's waiting request for orders is answered with the question
//	   -> POST /relay/v1/answer, sealed and signed as all that relays send
//	   -> the waiting request; the row goes
//
// The question may reach the relay through any process of the service; its
// answer has to come to the one that waits. A relay that meets another is told
// so and answers again with the next orders, over the same connection or a new
// one: behind a load balancer that spreads a relay's requests an answer may take
// some tries, and /relay/v1/answer is best routed by the relay's address.
package topology
