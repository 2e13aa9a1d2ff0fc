package process

import (
	"cmp"
	"slices"
	"strings"

	"assimilation/discovery/internal/order"
)

// Claim is what one service would take of a fact.
type Claim struct {
	UID   int64 // of its processes
	Bytes int
}

// User tells whose a service is. The numbers that a user may take for containers of
// theirs (subuid(5)) are high, and count as one user together.
func User(uid int64) int64 { return min(uid, 1<<16) }

// Share says which claims fit into most bytes. Anybody may run programs with long
// arguments: when not all fit, every user has the same share, so that none crowds out
// the services of the others. Of one who wants more, the smallest are taken.
func Share(claims []Claim, most int) (fits []bool, all bool) {
	fits = make([]bool, len(claims))
	wanted := map[int64]int{}
	for _, c := range claims {
		wanted[User(c.UID)] += c.Bytes
	}
	users := make([]int64, 0, len(wanted))
	for uid := range wanted {
		users = append(users, uid)
	}
	slices.SortFunc(users, func(a, b int64) int { return cmp.Or(cmp.Compare(wanted[a], wanted[b]), cmp.Compare(a, b)) })
	left := map[int64]int{}
	for i, uid := range users {
		left[uid] = min(wanted[uid], most/(len(users)-i))
		most -= left[uid]
	}
	bySize := make([]int, len(claims))
	for i := range bySize {
		bySize[i] = i
	}
	order.By(bySize, func(a, b *int) int { return cmp.Compare(claims[*a].Bytes, claims[*b].Bytes) })
	all = true
	for _, i := range bySize {
		c := claims[i]
		if fits[i] = c.Bytes <= left[User(c.UID)]; fits[i] {
			left[User(c.UID)] -= c.Bytes
		}
		all = all && fits[i]
	}
	return fits, all
}

// Encoded is how many bytes texts take in a list of canonical JSON, see
// discovery.Canonical. They have no control characters.
func Encoded(texts ...string) (n int) {
	for _, t := range texts {
		n += len(t) + len(`"",`) + strings.Count(t, `"`) + strings.Count(t, `\`)
	}
	return n
}
