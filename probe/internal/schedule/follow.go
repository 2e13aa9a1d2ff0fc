package schedule

import (
	"crypto/sha256"
	"slices"
	"time"

	"assimilation/discovery"
)

// follow tells the kinds that come after j of its facts, if these are not what
// they were, and asks for a collection of each. A kind that is due anyway is
// collected once.
func follow(jobs []*job, j *job, facts []discovery.Fact, now time.Time) {
	digest := digestOf(facts)
	if j.found && digest == j.digest {
		return
	}
	j.found, j.digest = true, digest
	for _, after := range jobs {
		if !slices.Contains(after.kind.After, j.kind.Name) {
			continue
		}
		if f, ok := after.collector.(discovery.Follower); ok {
			f.Follow(j.kind.Name, facts)
		}
		after.hint(now)
	}
}

// digestOf is the same for the same facts in any order.
func digestOf(facts []discovery.Fact) (sum [sha256.Size]byte) {
	for _, f := range facts {
		one := sha256.Sum256(append([]byte(f.Instance+"\x00"), f.Hash[:]...))
		for i := range sum {
			sum[i] ^= one[i]
		}
	}
	return sum
}
