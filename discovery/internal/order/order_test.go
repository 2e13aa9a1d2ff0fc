package order_test

import (
	"cmp"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"assimilation/discovery/internal/order"
)

type item struct{ key, place int }

func TestBySortsAsSlicesDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var got []item
		for i, key := range rapid.SliceOf(rapid.IntRange(0, 5)).Draw(t, "keys") {
			got = append(got, item{key, i})
		}
		want := slices.Clone(got)
		order.By(got, func(a, b *item) int { return cmp.Compare(a.key, b.key) })
		slices.SortStableFunc(want, func(a, b item) int { return cmp.Compare(a.key, b.key) })
		if !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
}
