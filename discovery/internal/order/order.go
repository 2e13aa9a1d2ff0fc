// Package order sorts lists of structs. It does what slices.SortStableFunc does,
// but without a copy of the algorithm for every type, each of which adds some
// 15 kB to the probe.
package order

import "sort"

// By sorts items by a comparison, equal ones staying as they were.
func By[T any](items []T, compare func(a, b *T) int) { sort.Stable(by[T]{items, compare}) }

type by[T any] struct {
	items   []T
	compare func(a, b *T) int
}

func (b by[T]) Len() int           { return len(b.items) }
func (b by[T]) Less(i, j int) bool { return b.compare(&b.items[i], &b.items[j]) < 0 }
func (b by[T]) Swap(i, j int)      { b.items[i], b.items[j] = b.items[j], b.items[i] }
