package syntax

// Query is the tree of a question.
type Query struct {
	Source  string
	Clauses []Clause
}

// Clause is *Match, *Unwind or *Projection; the last is a Projection that
// returns.
type Clause interface{ clause() }

// Match is MATCH or OPTIONAL MATCH.
type Match struct {
	Pos      Pos
	Optional bool
	Paths    []*Path
	Where    Expr // nil: none
}

// Unwind is UNWIND list AS name.
type Unwind struct {
	Pos  Pos
	List Expr
	As   Name
}

// Projection is WITH or RETURN.
type Projection struct {
	Pos         Pos
	Return      bool
	Distinct    bool
	All         bool // * before the items
	Items       []*Item
	Order       []*Sort
	Skip, Limit Expr
	Where       Expr // of WITH only
}

func (*Match) clause()      {}
func (*Unwind) clause()     {}
func (*Projection) clause() {}

// Item is one column of a projection.
type Item struct {
	Expr Expr
	As   Name // the text of the expression when no AS is given
	Bare bool // no AS was given
}

// Sort is one key of an order.
type Sort struct {
	Expr       Expr
	Descending bool
}

// Name is a name with its place; "" is no name.
type Name struct {
	Pos  Pos
	Text string
}

// Path is one chain of a pattern: len(Nodes) == len(Rels)+1.
type Path struct {
	Pos   Pos
	Name  Name
	Nodes []*Node
	Rels  []*Rel
}

// Node is (name:Label {properties}).
type Node struct {
	Pos    Pos
	Name   Name
	Labels []Name
	Props  Expr // *Map, *Parameter or nil
}

// Direction of a relationship in a pattern.
type Direction uint8

// The directions.
const (
	Either Direction = iota
	Right
	Left
)

// Rel is -[name:TYPE|TYPE *min..max {properties}]->.
type Rel struct {
	Pos       Pos
	Name      Name
	Types     []Name
	Direction Direction
	Many      bool // of variable length, Min to Max
	Min, Max  int
	Props     Expr
}

// Expr is any of the types below.
type Expr interface{ At() Pos }

// At is the place of an expression; all embed it.
func (p Pos) At() Pos { return p }

// The expressions.
type (
	// Literal is null, a bool, int64, float64 or string.
	Literal struct {
		Pos
		Value any
	}
	// Parameter is $name.
	Parameter struct {
		Pos
		Name string
	}
	// Variable names what a clause before bound.
	Variable struct {
		Pos
		Name string
	}
	// Property is x.name.
	Property struct {
		Pos  // of the name
		X    Expr
		Name string
	}
	// Index is x[i].
	Index struct {
		Pos
		X, I Expr
	}
	// Slice is x[from..to]; either may be nil.
	Slice struct {
		Pos
		X, From, To Expr
	}
	// List is [a, b].
	List struct {
		Pos
		Items []Expr
	}
	// Map is {a: x}.
	Map struct {
		Pos
		Keys   []Name
		Values []Expr
	}
	// Unary is NOT x, -x or +x.
	Unary struct {
		Pos
		Op string
		X  Expr
	}
	// Binary is one of AND OR XOR + - * / % ^ IN "STARTS WITH" "ENDS WITH" CONTAINS =~.
	Binary struct {
		Pos  // of the operator
		Op   string
		X, Y Expr
	}
	// Compare is a chain such as a < b <= c: len(Operands) == len(Ops)+1.
	Compare struct {
		Pos
		Operands []Expr
		Ops      []string // = <> < <= > >=
	}
	// IsNull is x IS NULL or x IS NOT NULL.
	IsNull struct {
		Pos
		X   Expr
		Not bool
	}
	// HasLabel is x:Label.
	HasLabel struct {
		Pos
		X      Expr
		Labels []Name
	}
	// Call is name(args). Star is count(*).
	Call struct {
		Pos
		Name     string
		Distinct bool
		Star     bool
		Args     []Expr
	}
	// Case is CASE [test] WHEN ... THEN ... ELSE ... END.
	Case struct {
		Pos
		Test  Expr
		Whens []When
		Else  Expr
	}
	// Comprehension is [name IN list WHERE where | yield], or with Quantifier
	// all, any, none or single a condition over the list.
	Comprehension struct {
		Pos
		Quantifier string
		As         Name
		List       Expr
		Where      Expr
		Yield      Expr
	}
	// Exists is a pattern as a condition.
	Exists struct {
		Pos
		Path *Path
	}
)

// When is a branch of a Case.
type When struct{ If, Then Expr }

// Children returns the expressions directly within x; those of patterns are
// not among them.
func Children(x Expr) []Expr {
	var all []Expr
	add := func(list ...Expr) {
		for _, e := range list {
			if e != nil {
				all = append(all, e)
			}
		}
	}
	switch x := x.(type) {
	case *Property:
		add(x.X)
	case *Index:
		add(x.X, x.I)
	case *Slice:
		add(x.X, x.From, x.To)
	case *List:
		add(x.Items...)
	case *Map:
		add(x.Values...)
	case *Unary:
		add(x.X)
	case *Binary:
		add(x.X, x.Y)
	case *Compare:
		add(x.Operands...)
	case *IsNull:
		add(x.X)
	case *HasLabel:
		add(x.X)
	case *Call:
		add(x.Args...)
	case *Case:
		add(x.Test)
		for _, w := range x.Whens {
			add(w.If, w.Then)
		}
		add(x.Else)
	case *Comprehension:
		add(x.List, x.Where, x.Yield)
	}
	return all
}
