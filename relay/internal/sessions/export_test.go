package sessions

import "context"

// Promised is what the budget has given away and is not durable yet.
func (t *Table) Promised() int {
	n, _ := ask(context.Background(), t, func() int { return t.budget.promised })
	return n
}

// MostPromised is the most of it so far.
func (t *Table) MostPromised() int {
	n, _ := ask(context.Background(), t, func() int { return t.budget.most })
	return n
}
