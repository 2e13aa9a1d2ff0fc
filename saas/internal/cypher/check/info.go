package check

import (
	"assimilation/cmdb"
	"assimilation/saas/internal/cypher/syntax"
)

// Symbol is what a name stands for.
type Symbol struct {
	Name string
	Type Type
	// Whole says that more of an element is needed than what it is: its
	// properties.
	Whole bool
	// Origin is the symbol that a projection handed on under a new name.
	Origin *Symbol
}

// need marks the symbol, and what it was handed on from.
func (s *Symbol) need() {
	for ; s != nil && !s.Whole; s = s.Origin {
		s.Whole = true
	}
}

// Branch is one way to go over a relationship of a pattern, from left to right.
type Branch struct {
	Edge    cmdb.EdgeSpec
	Forward bool // the edge leads from the left node to the right one
}

// Ends are the labels of the left and the right node.
func (b Branch) Ends() (left, right cmdb.Label) {
	if b.Forward {
		return b.Edge.From, b.Edge.To
	}
	return b.Edge.To, b.Edge.From
}

// Column of a projection.
type Column struct {
	Symbol     *Symbol
	Expr       syntax.Expr // nil: Symbol.Origin is handed on
	Aggregates bool
}

// Columns of a projection, and what it does with rows.
type Columns struct {
	List       []Column
	Aggregates bool
	Skip       int64
	Limit      int64 // -1: none
	// Sorts are the columns that the keys of the order are; -1: an expression
	// of its own.
	Sorts []int
}

// Info is the meaning of a question.
type Info struct {
	Query       *syntax.Query
	Types       map[syntax.Expr]Type
	Variables   map[*syntax.Variable]*Symbol
	Nodes       map[*syntax.Node]*Symbol
	New         map[*syntax.Node]bool // the node is bound here
	Rels        map[*syntax.Rel]*Symbol
	Paths       map[*syntax.Path]*Symbol // of those that have a name
	Branches    map[*syntax.Rel][]Branch
	Ends        map[*syntax.Node][]cmdb.Label // what the node may be, within its pattern
	Unwound     map[*syntax.Unwind]*Symbol
	Items       map[*syntax.Comprehension]*Symbol
	Calls       map[*syntax.Call]*Function
	Projections map[*syntax.Projection]*Columns
	Parameters  map[string]any
	Hints       []string // what is allowed, and probably not meant
}

// Result is the columns of the answer.
func (i *Info) Result() []Column {
	last := i.Query.Clauses[len(i.Query.Clauses)-1].(*syntax.Projection)
	return i.Projections[last].List
}
