package mutants

import (
	"fmt"
	"go/ast"
	"go/token"
	"regexp"
	"strings"
)

// routes makes every registration ask for no more than to be known, and every
// operation for nobody.
func (f *file) routes() {
	ast.Inspect(f.tree, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		function := f.text(call.Fun)
		switch {
		case function == "web.Needs" || function == "Needs" && strings.HasPrefix(f.path, "saas/internal/web/"):
			action := f.text(call.Args[0])
			if action != "tenancy.Identify" {
				name := f.mutant(Route, call, "asks only who it is, not "+action)
				f.around(call.Args[0], "mutant.Or("+name+", ", `, "identify")`)
			}
			name := f.mutant(Route, call, "asks nobody, not "+action)
			f.around(call, "mutant.Or("+name+", ", ", "+strings.TrimSuffix(function, "Needs")+"Anyone())")
		case strings.HasSuffix(function, ".Page") && len(call.Args) == 3 && f.text(call.Args[1]) != "tenancy.Identify":
			name := f.mutant(Route, call, f.text(call.Args[0])+" asks only who it is, not "+f.text(call.Args[1]))
			f.around(call.Args[1], "mutant.Or("+name+", ", `, "identify")`)
		}
		return true
	})
}

// weaker is the next role below each.
var weaker = map[string]string{"Owner": "Admin", "Admin": "Operator", "Operator": "Viewer", "Viewer": `Role("")`}

// rights weakens every field of every entry. The table becomes a function, and each
// entry one that is asked anew each time that the entry is looked up.
func (f *file) rights() {
	for _, decl := range f.tree.Decls {
		table, ok := decl.(*ast.GenDecl)
		if !ok || table.Tok != token.VAR {
			continue
		}
		spec := table.Specs[0].(*ast.ValueSpec)
		entries, ok := spec.Values[0].(*ast.CompositeLit)
		if !ok || spec.Names[0].Name != "rights" {
			continue
		}
		f.replace(table.Pos(), entries.Lbrace, `func rightOf(a Action) (r Right, ok bool) {
			entry, ok := theRights()[a]
			if ok {
				r = entry()
			}
			return r, ok
		}

		func theRights() map[Action]func() Right { return map[Action]func() Right`)
		f.replace(entries.End(), entries.End(), " }")
		for _, e := range entries.Elts {
			entry := e.(*ast.KeyValueExpr)
			f.around(entry.Value, "func() Right { return Right", " }")
			f.right(f.text(entry.Key), entry.Value.(*ast.CompositeLit))
		}
		ast.Inspect(f.tree, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.IndexExpr:
				if f.text(n.X) == "rights" {
					f.replace(n.Pos(), n.End(), "rightOf("+f.text(n.Index)+")")
					return false
				}
			case *ast.Ident:
				if n.Name == "rights" && n != spec.Names[0] {
					f.replace(n.Pos(), n.End(), "theRights()")
				}
			}
			return true
		})
	}
}

func (f *file) right(action string, entry *ast.CompositeLit) {
	has := map[string]bool{}
	for _, e := range entry.Elts {
		field := e.(*ast.KeyValueExpr)
		name, value := f.text(field.Key), f.text(field.Value)
		has[name] = true
		switch {
		case name == "Entering":
		case value == "true":
			m := f.mutant(Right, field, action+" without "+name)
			f.around(field.Value, "mutant.Or("+m+", ", ", false)")
		case weaker[value] != "" && !(name == "AtSite" && value == "Viewer"):
			m := f.mutant(Right, field, action+": "+name+" "+weaker[value]+", not "+value)
			f.around(field.Value, "mutant.Or("+m+", ", ", "+weaker[value]+")")
		}
	}
	var added []string
	if !has["AtSite"] && has["Role"] {
		added = append(added, `AtSite: mutant.Or(`+f.mutant(Right, entry, action+" at a site")+`, Role(""), Viewer)`)
	}
	if !has["Entering"] {
		added = append(added, `Entering: mutant.Or(`+f.mutant(Right, entry, action+" for who owes a second factor")+`, false, true)`)
	}
	if len(added) > 0 {
		end := f.offset(entry.Rbrace)
		f.edits = append(f.edits, edit{end, end, ", " + strings.Join(added, ", ")})
	}
}

// conditions lets refusals not happen: a condition whose branch leaves the function,
// and each alternative of it; and lets functions that answer yes or no say yes.
func (f *file) conditions() {
	ast.Inspect(f.tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.IfStmt:
			if leaves(n.Body.List) {
				f.condition(n.Cond)
			}
		case *ast.SwitchStmt:
			if n.Tag != nil {
				return true
			}
			for _, c := range n.Body.List {
				if c := c.(*ast.CaseClause); len(c.List) == 1 && leaves(c.Body) {
					f.condition(c.List[0])
				}
			}
		case *ast.FuncDecl:
			f.answer(n)
		}
		return true
	})
}

// leaves reports whether a branch ends with a return of something.
func leaves(body []ast.Stmt) bool {
	if len(body) == 0 {
		return false
	}
	last, ok := body[len(body)-1].(*ast.ReturnStmt)
	return ok && len(last.Results) > 0
}

// failures are conditions of what went wrong, which decide nothing.
var failures = regexp.MustCompile(`^(err|broken|ctx\.Err\(\)|r\.Context\(\)\.Err\(\)) [!=]= nil( &&.*)?$|^problem == nil$|^errors\.As\(err, &refusal\)$`)

func (f *file) condition(cond ast.Expr) {
	text := f.text(cond)
	if failures.MatchString(text) {
		return
	}
	if parts := alternatives(cond); len(parts) > 1 {
		for _, p := range parts {
			if failures.MatchString(f.text(p)) {
				continue
			}
			name := f.mutant(Condition, p, "not: "+f.text(p))
			f.around(p, "(", " && !mutant.Is("+name+"))")
		}
		return
	}
	name := f.mutant(Condition, cond, "not: "+text)
	f.around(cond, "((", ") && !mutant.Is("+name+"))")
}

// alternatives are the operands of ||.
func alternatives(e ast.Expr) []ast.Expr {
	if b, ok := e.(*ast.BinaryExpr); ok && b.Op == token.LOR {
		return append(alternatives(b.X), alternatives(b.Y)...)
	}
	return []ast.Expr{e}
}

// answer makes a function with one result, a bool, say yes.
func (f *file) answer(decl *ast.FuncDecl) {
	results := decl.Type.Results
	if results == nil || len(results.List) != 1 || len(results.List[0].Names) > 1 || f.text(results.List[0].Type) != "bool" || decl.Body == nil {
		return
	}
	last, ok := decl.Body.List[len(decl.Body.List)-1].(*ast.ReturnStmt)
	if !ok || len(last.Results) != 1 {
		return
	}
	name := f.mutant(Answer, decl, decl.Name.Name+" says yes")
	f.around(last.Results[0], "((", ") || mutant.Is("+name+"))")
}

// ofAnybody and ofPerson are conditions on whose a row is.
var (
	ofAnybody = regexp.MustCompile(`\b(?:[a-z]\.)?(?:tenant|user_id|inviter|owner|person) = \$\d+`)
	ofPerson  = regexp.MustCompile(`\b(?:[a-z]\.)?(?:user_id|inviter|owner|person) = \$\d+`)
)

// filters lets statements in SQL reach everybody's rows, a condition at a time.
func (f *file) filters(whose *regexp.Regexp) {
	for _, decl := range f.tree.Decls {
		function, ok := decl.(*ast.FuncDecl)
		if !ok { // what is computed once is not asked again
			continue
		}
		ast.Inspect(function, func(n ast.Node) bool {
			literal, ok := n.(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING || !strings.HasPrefix(literal.Value, "`") {
				return true
			}
			before, after := "", ""
			for _, at := range whose.FindAllStringIndex(literal.Value, -1) {
				condition := literal.Value[at[0]:at[1]]
				if set := strings.LastIndex(literal.Value[:at[0]], " SET "); set >= 0 && !strings.Contains(literal.Value[set:at[0]], "WHERE") {
					continue // it is assigned
				}
				name := f.mutant(Filter, literal, fmt.Sprintf("not: %s in %.120s", condition, strings.Trim(literal.Value, "`")))
				before += "mutant.Or(" + name + ", "
				after = ", " + literal.Value[:at[0]] + "(" + condition + " OR true)" + literal.Value[at[1]:] + ")" + after
			}
			if before != "" {
				f.around(literal, before, after)
			}
			return true
		})
	}
}
