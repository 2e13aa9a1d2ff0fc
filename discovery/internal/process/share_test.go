package process

import (
	"slices"
	"testing"
)

func TestShare(t *testing.T) {
	for name, test := range map[string]struct {
		claims []Claim
		most   int
		want   []bool
	}{
		"none":           {nil, 10, []bool{}},
		"all fit":        {[]Claim{{0, 4}, {1000, 6}}, 10, []bool{true, true}},
		"one wants all":  {[]Claim{{1000, 100}, {0, 4}, {1000, 1}, {33, 1}}, 10, []bool{false, true, true, true}},
		"two of a sort":  {[]Claim{{1, 4}, {1, 4}, {2, 4}, {2, 4}}, 10, []bool{true, false, true, false}},
		"many of one":    {[]Claim{{100001, 4}, {100002, 4}, {100003, 4}, {0, 5}}, 10, []bool{true, false, false, true}},
		"one, too large": {[]Claim{{0, 11}}, 10, []bool{false}},
	} {
		fits, all := Share(test.claims, test.most)
		if !slices.Equal(fits, test.want) || all == slices.Contains(test.want, false) {
			t.Errorf("%s: %v, %v; want %v", name, fits, all, test.want)
		}
	}
}
