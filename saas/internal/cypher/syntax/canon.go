package syntax

import (
	"fmt"
	"strconv"
	"strings"
)

// Canon writes an expression so that two that mean the same by their text have
// the same form, wherever they stand.
func Canon(x Expr) string {
	var b strings.Builder
	writeCanon(&b, x)
	return b.String()
}

func writeCanon(b *strings.Builder, x Expr) {
	switch x := x.(type) {
	case nil:
		b.WriteString("-")
		return
	case *Literal:
		fmt.Fprintf(b, "%T:%s", x.Value, strconv.Quote(fmt.Sprint(x.Value)))
		return
	case *Parameter:
		b.WriteString("$" + strconv.Quote(x.Name))
		return
	case *Variable:
		b.WriteString(strconv.Quote(x.Name))
		return
	case *Exists:
		fmt.Fprintf(b, "exists@%d", x.Pos) // each is its own
		return
	case *Slice:
		b.WriteString("slice(")
		for _, part := range []Expr{x.X, x.From, x.To} {
			writeCanon(b, part)
			b.WriteByte(',')
		}
		b.WriteByte(')')
		return
	}
	b.WriteString(head(x))
	b.WriteByte('(')
	for _, child := range Children(x) {
		writeCanon(b, child)
		b.WriteByte(',')
	}
	b.WriteByte(')')
}

// head is what an expression is, without its children.
func head(x Expr) string {
	switch x := x.(type) {
	case *Property:
		return "." + strconv.Quote(x.Name)
	case *Map:
		return fmt.Sprintf("map%q", names(x.Keys))
	case *Unary:
		return "unary" + x.Op
	case *Binary:
		return x.Op
	case *Compare:
		return strings.Join(x.Ops, " ")
	case *IsNull:
		return fmt.Sprintf("null%v", x.Not)
	case *HasLabel:
		return fmt.Sprintf("label%q", names(x.Labels))
	case *Call:
		return fmt.Sprintf("%s:%v%v", strings.ToLower(x.Name), x.Distinct, x.Star)
	case *Case:
		return fmt.Sprintf("case%d%v%v", len(x.Whens), x.Test != nil, x.Else != nil)
	case *Comprehension:
		return fmt.Sprintf("%s[%q%v%v", x.Quantifier, x.As.Text, x.Where != nil, x.Yield != nil)
	}
	return fmt.Sprintf("%T", x)
}

func names(all []Name) (texts []string) {
	for _, n := range all {
		texts = append(texts, n.Text)
	}
	return texts
}
