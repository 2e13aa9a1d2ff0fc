package web

// List is the answer of every list of the API.
type List[T any] struct {
	Items      []T    `json:"items" nullable:"false"`
	NextCursor string `json:"next_cursor,omitempty" doc:"cursor of the next page; absent on the last"`
}

// ListOf makes a list, whose items are never null.
func ListOf[T any](items []T, next string) List[T] {
	if items == nil {
		items = []T{}
	}
	return List[T]{items, next}
}

// Answer wraps the body of an operation's answer as huma wants it.
type Answer[T any] struct{ Body T }

// Listed is the answer of an operation that lists.
func Listed[T any](items []T, next string, err error) (*Answer[List[T]], error) {
	if err != nil {
		return nil, err
	}
	return &Answer[List[T]]{ListOf(items, next)}, nil
}
