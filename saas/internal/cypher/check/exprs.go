package check

import (
	"slices"
	"strings"

	"assimilation/saas/internal/cypher/syntax"
)

// expr finds the type of an expression, and marks the elements in it as needed
// whole.
func (c *checker) expr(x syntax.Expr) Type {
	return c.typeOf(x, false)
}

// light is expr for where only the identity of an element is looked at.
func (c *checker) light(x syntax.Expr) Type { return c.typeOf(x, true) }

func (c *checker) typeOf(x syntax.Expr, light bool) Type {
	t := c.find(x, light)
	c.info.Types[x] = t
	return t
}

func (c *checker) find(x syntax.Expr, light bool) Type {
	switch x := x.(type) {
	case *syntax.Literal:
		return typeOfValue(x.Value)
	case *syntax.Parameter:
		return c.parameter(x)
	case *syntax.Variable:
		s := c.lookup(x)
		if !light {
			s.need()
		}
		return s.Type
	case *syntax.Property:
		return c.property(x)
	case *syntax.Index:
		return c.index(x)
	case *syntax.Slice:
		return c.slice(x)
	case *syntax.List:
		elem := of(Null)
		for _, item := range x.Items {
			elem = c.merged(item.At(), elem, c.expr(item))
		}
		return listOf(elem)
	case *syntax.Map:
		fields := map[string]Type{}
		for i, v := range x.Values {
			fields[x.Keys[i].Text] = c.expr(v)
		}
		return Type{Kind: Map, Fields: fields}
	case *syntax.Unary:
		return c.unary(x)
	case *syntax.Binary:
		return c.binary(x)
	case *syntax.Compare:
		return c.compare(x)
	case *syntax.IsNull:
		c.light(x.X)
		return of(Bool)
	case *syntax.HasLabel:
		if t := c.light(x.X); t.Kind != Node {
			c.fail(x.X.At(), "only nodes have labels; this is %s", t)
		}
		for _, l := range x.Labels {
			c.label(l)
		}
		return of(Bool)
	case *syntax.Call:
		return c.call(x)
	case *syntax.Case:
		return c.caseOf(x)
	case *syntax.Comprehension:
		return c.comprehension(x)
	case *syntax.Exists:
		c.patterns([]*syntax.Path{x.Path}, false)
		return of(Bool)
	}
	c.fail(x.At(), "this expression is not understood")
	return Type{}
}

func (c *checker) merged(pos syntax.Pos, a, b Type) Type {
	t, err := merge(a, b)
	if err != nil {
		c.fail(pos, "%s", err)
	}
	return t
}

func (c *checker) parameter(x *syntax.Parameter) Type {
	v, ok := c.info.Parameters[x.Name]
	if !ok {
		c.fail(x.Pos, "the parameter $%.60s has no value", x.Name)
	}
	t, ok := c.used[x.Name]
	if !ok {
		t = typeOfValue(v)
		c.used[x.Name] = t
	}
	return t
}

func typeOfValue(v any) Type {
	switch v := v.(type) {
	case nil:
		return of(Null)
	case bool:
		return of(Bool)
	case int64:
		return of(Int)
	case float64:
		return of(Float)
	case string:
		return of(String)
	case []any:
		elem := of(Null)
		for _, item := range v {
			// Values hold no elements of the graph: merging cannot fail.
			elem, _ = merge(elem, typeOfValue(item))
		}
		return listOf(elem)
	case map[string]any:
		fields := map[string]Type{}
		for name, item := range v {
			fields[name] = typeOfValue(item)
		}
		return Type{Kind: Map, Fields: fields}
	}
	return of(Any)
}

func (c *checker) property(x *syntax.Property) Type {
	t := c.expr(x.X)
	switch t.Kind {
	case Node, Rel, Any:
		return of(Any)
	case Null:
		return of(Null)
	case Map:
		if t.Fields == nil {
			return of(Any)
		}
		if f, ok := t.Fields[x.Name]; ok {
			return f
		}
		return of(Null)
	}
	c.fail(x.Pos, "%s has no properties", t)
	return Type{}
}

func (c *checker) index(x *syntax.Index) Type {
	t, i := c.expr(x.X), c.expr(x.I)
	key, literal := x.I.(*syntax.Literal)
	switch t.Kind {
	case List:
		if i.Kind != Int && i.Kind != Any && i.Kind != Null {
			c.fail(x.I.At(), "the index of a list is a whole number; this is %s", i)
		}
		return *t.Elem
	case Map, Node, Rel:
		if i.Kind != String && i.Kind != Any && i.Kind != Null {
			c.fail(x.I.At(), "the index of %s is a string; this is %s", t, i)
		}
		if t.Kind == Map && t.Fields != nil && literal && key.Value != nil {
			if f, ok := t.Fields[key.Value.(string)]; ok {
				return f
			}
			return of(Null)
		}
		if t.Kind == Map && t.HasElement() {
			c.fail(x.I.At(), "of a map that holds elements of the graph the name must be written out")
		}
		return of(Any)
	case Any, Null:
		if i.HasElement() || i.Kind == List || i.Kind == Map || i.Kind == Bool {
			c.fail(x.I.At(), "an index is a whole number or a string; this is %s", i)
		}
		return of(Any)
	}
	c.fail(x.Pos, "%s has no items", t)
	return Type{}
}

func (c *checker) slice(x *syntax.Slice) Type {
	t := c.expr(x.X)
	for _, bound := range []syntax.Expr{x.From, x.To} {
		if bound == nil {
			continue
		}
		if b := c.expr(bound); b.Kind != Int && b.Kind != Any && b.Kind != Null {
			c.fail(bound.At(), "the bounds of a range are whole numbers; this is %s", b)
		}
	}
	if t.Kind != List && t.Kind != Any && t.Kind != Null {
		c.fail(x.Pos, "only a list has a range of items; this is %s", t)
	}
	if t.Kind == List {
		return t
	}
	return of(Any)
}

func (c *checker) call(x *syntax.Call) Type {
	f := c.function(x)
	c.info.Calls[x] = f
	if f.Aggregate {
		return c.aggregate(x, f)
	}
	if x.Star || x.Distinct {
		c.fail(x.Pos, "* and DISTINCT are for aggregates: count, sum, avg, min, max, collect")
	}
	return c.arguments(x, f)
}

func (c *checker) function(x *syntax.Call) *Function {
	for _, f := range functions {
		if strings.EqualFold(f.Name, x.Name) {
			return f
		}
	}
	if why := unwanted[strings.ToLower(x.Name)]; why != "" {
		c.fail(x.Pos, "%s() is refused: %s", x.Name, why)
	}
	if near := syntax.Nearest(x.Name, functionNames()); near != "" {
		c.fail(x.Pos, "there is no function %.60s(); is %s() meant?", x.Name, near)
	}
	c.fail(x.Pos, "there is no function %.60s(); there are %s", x.Name, joined(functionNames()))
	return nil
}

func (c *checker) arguments(x *syntax.Call, f *Function) Type {
	least, most := len(f.Takes)-f.Optional, len(f.Takes)
	if n := len(x.Args); n < least || n > most && !f.Rest {
		c.fail(x.Pos, "%s() takes %d arguments, not %d: %s", f.Name, most, n, f.Usage)
	}
	types := make([]Type, len(x.Args))
	for i, a := range x.Args {
		if f.Light {
			types[i] = c.light(a)
		} else {
			types[i] = c.expr(a)
		}
		takes := f.Takes[min(i, len(f.Takes)-1)]
		k := types[i].Kind
		elements := slices.Contains(takes, Node) || slices.Contains(takes, Rel) || slices.Contains(takes, Path)
		if takes == nil || slices.Contains(takes, k) || k == Null || k == Any && (!elements || slices.Contains(takes, Map)) {
			continue
		}
		var names []string
		for _, t := range takes {
			names = append(names, t.String())
		}
		c.fail(a.At(), "%s() takes %s; this is %s", f.Name, strings.Join(names, " or "), types[i])
	}
	t, err := f.result(types)
	if err != nil {
		c.fail(x.Pos, "%s", err)
	}
	return t
}

func (c *checker) aggregate(x *syntax.Call, f *Function) Type {
	switch {
	case c.within:
		c.fail(x.Pos, "%s() cannot be called within another aggregate; use WITH between them", f.Name)
	case !c.aggregates:
		c.fail(x.Pos, "%s() can be called in WITH and RETURN only", f.Name)
	case x.Star && f.Name != "count":
		c.fail(x.Pos, "only count takes a *")
	case x.Star:
		return of(Int)
	}
	c.within = true
	defer func() { c.within = false }()
	t := c.arguments(x, f)
	if k := c.info.Types[x.Args[0]].Kind; x.Distinct && f.Name == "count" && k == Path {
		c.fail(x.Pos, "paths are not told apart; count their ends")
	}
	return t
}

func (c *checker) caseOf(x *syntax.Case) Type {
	if x.Test != nil {
		c.light(x.Test)
	}
	t := of(Null)
	for _, w := range x.Whens {
		if x.Test != nil {
			c.light(w.If)
			c.comparable(w.If.At(), "=", c.info.Types[x.Test], c.info.Types[w.If])
		} else {
			c.condition(w.If, "WHEN")
		}
		t = c.merged(w.Then.At(), t, c.expr(w.Then))
	}
	if x.Else != nil {
		t = c.merged(x.Else.At(), t, c.expr(x.Else))
	}
	return t
}

func (c *checker) comprehension(x *syntax.Comprehension) Type {
	t := c.expr(x.List)
	elem := of(Any)
	switch t.Kind {
	case List:
		elem = *t.Elem
	case Any, Null:
	default:
		c.fail(x.List.At(), "a list is needed; this is %s", t)
	}
	if elem.Kind == Null {
		elem = of(Any)
	}
	outer := c.scope[x.As.Text]
	s := &Symbol{Name: x.As.Text, Type: elem}
	c.scope[x.As.Text] = s
	c.info.Items[x] = s
	aggregates := c.aggregates
	c.aggregates = false
	defer func() {
		c.aggregates = aggregates
		if c.scope[x.As.Text] = outer; outer == nil {
			delete(c.scope, x.As.Text)
		}
	}()
	if x.Where != nil {
		c.condition(x.Where, "WHERE")
	}
	switch {
	case x.Quantifier != "":
		return of(Bool)
	case x.Yield != nil:
		return listOf(c.expr(x.Yield))
	case t.Kind == List:
		return t
	}
	return listOf(elem)
}
