package syntax

import (
	"strings"
	"testing"
)

func TestProblemsPointAtTheirPlace(t *testing.T) {
	for _, test := range []struct {
		text         string
		line, column int
		says         string
		caret        string
	}{
		{"", 1, 1, "the question is empty", "\n^"},
		{"MATCH (n:Host)", 1, 15, "has no RETURN", "MATCH (n:Host)\n              ^"},
		{"MATCH (n:Host)\nRETRUN n", 2, 1, "is RETURN meant?", "RETRUN n\n^"},
		{"MATCH (n:Host RETURN n", 1, 15, `")" is missing to end the node`, "MATCH (n:Host RETURN n\n              ^"},
		{"MATCH (n)-[:RUNS->(m) RETURN n", 1, 17, `"]" is missing`, "MATCH (n)-[:RUNS->(m) RETURN n\n                ^"},
		{"RETURN 'ä' + ", 1, 14, "an expression is missing", "RETURN 'ä' + \n             ^"},
		{"RETURN 1 +\t§", 1, 12, "has no meaning here", "RETURN 1 + §\n           ^"},
		{"MATCH (n) WHERE n.x != 1 RETURN n", 1, 21, "unequal is written <>", "MATCH (n) WHERE n.x != 1 RETURN n\n                    ^"},
		{"MATCH (n)-[*3..1]->(m) RETURN n", 1, 12, "is an empty range", "MATCH (n)-[*3..1]->(m) RETURN n\n           ^"},
		{"RETURN [1, 2", 1, 13, `"]" is missing to end the list`, "RETURN [1, 2\n            ^"},
		{"RETURN CASE 1 END", 1, 15, "WHEN is missing in CASE", "RETURN CASE 1 END\n              ^"},
		{"WITH 1 AS match RETURN 1", 1, 11, "write it in `backticks`", "WITH 1 AS match RETURN 1\n          ^"},
		{"RETURN 1 LIMIT", 1, 15, "an expression is missing", "RETURN 1 LIMIT\n              ^"},
	} {
		_, err := Parse(test.text)
		problem, ok := err.(*Problem)
		if !ok {
			t.Errorf("%q: %v", test.text, err)
			continue
		}
		if problem.Line != test.line || problem.Column != test.column || !strings.Contains(problem.Text, test.says) {
			t.Errorf("%q: %v; want line %d, column %d: %s", test.text, problem, test.line, test.column, test.says)
		}
		if problem.Caret() != test.caret {
			t.Errorf("%q:\n%s\nwant\n%s", test.text, problem.Caret(), test.caret)
		}
	}
}

func TestCaretOfALongLineStaysInSight(t *testing.T) {
	_, err := Parse("RETURN " + strings.Repeat("1 + ", 90) + "§" + strings.Repeat(" ", 200))
	lines := strings.Split(err.(*Problem).Caret(), "\n")
	if column := strings.IndexByte(lines[1], '^'); column > shownWidth || []rune(lines[0])[column] != '§' {
		t.Errorf("the caret is not under the place:\n%s\n%s", lines[0], lines[1])
	}
}

func TestNearest(t *testing.T) {
	for _, test := range []struct{ name, want string }{{"Hots", "Host"}, {"host", "Host"}, {"Hst", "Host"}, {"Service", "Service"}, {"xyz", ""}, {"", ""}} {
		if got := Nearest(test.name, []string{"Host", "Service"}); got != test.want {
			t.Errorf("Nearest(%q) = %q, want %q", test.name, got, test.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"MATCH p = (n:Host {name: $p})-[r:RUNS|AT*1..3]->(m)<--(), (x) WHERE n.a = 1 AND NOT (n)-->() RETURN DISTINCT n.b AS c, count(*) ORDER BY c DESC SKIP 1 LIMIT 2",
		"OPTIONAL MATCH (n) WITH *, [x IN n.l WHERE x > 1 | x * 2] AS l UNWIND l[1..] AS y RETURN CASE y WHEN 1 THEN 'a' ELSE null END, all(x IN l WHERE x)",
		"RETURN {a: 1, `b c`: [0x1F, 1e3, -.5]} // end", "RETURN 'a\\u00e4' + \"b\" =~ '.*' /* c */", "RETURN ((((1", "CREATE (n)",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := Parse(text)
		if problem, ok := err.(*Problem); err != nil && (!ok || problem.Line < 1 || problem.Column < 1 || problem.Text == "") {
			t.Fatalf("an error without a place: %v", err)
		} else if ok {
			problem.Caret()
			return
		}
		last, ok := q.Clauses[len(q.Clauses)-1].(*Projection)
		if !ok || !last.Return {
			t.Fatal("the last clause does not return")
		}
		for _, item := range last.Items {
			if Canon(item.Expr) == "" {
				t.Fatal("an expression without a form")
			}
		}
	})
}
