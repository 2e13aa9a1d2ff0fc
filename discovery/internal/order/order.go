// Package order sorts lists of structs. It does what slices.SortStableFunc does,
// but without a copy of the algorithm for every type, each of which adds some
// 15 kB to the probe; the three methods that sort.Stable asks for are still 3 kB.
package order

import "sort"

// By sorts items by a comparison, equal ones staying as they were.
func By[T any](items []T, compare func(a, b *T) int) {
	sort.SliceStable(items, func(i, j int) bool { return compare(&items[i], &items[j]) < 0 })
}
