package cypher

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"assimilation/saas/internal/cypher/check"
	"assimilation/saas/internal/cypher/compile"
	"assimilation/saas/internal/cypher/syntax"
	"assimilation/tenancy"
)

// ours is all that a statement may hold: no semicolon, no comment, no dollar but
// of an argument, and in quotes only what we write ourselves.
var ours = regexp.MustCompile(`^(?:[A-Za-z0-9_ .,()\[\]{}<>=+*/%:|&#~>-]|"[A-Za-z_]+"|'[A-Za-z_+*/%^ ()-]*'|'"[a-z_]+"'|'0'|'\[\]'|'\{\}'|\$[0-9]+)*$`)

func FuzzPrepare(f *testing.F) {
	for _, s := range append(slices.Clip(scenarios), moreScenarios...) {
		f.Add(s.question)
	}
	for _, a := range attacks {
		f.Add(a.question)
	}
	for i := range uint64(200) {
		f.Add(newGenerator(i).question())
	}
	f.Fuzz(func(t *testing.T, text string) {
		statement, _, err := prepare(Question{Text: text, Limit: 10, Parameters: map[string]any{"p": "host1", "n": int64(2), "l": []any{"a"}}}, compile.InGraph("g"))
		if err != nil {
			if _, ok := errors.AsType[*syntax.Problem](err); !ok {
				t.Fatalf("an error without a place: %v", err)
			}
			return
		}
		if !ours.MatchString(statement.SQL) || strings.Contains(statement.SQL, "--") || strings.Contains(statement.SQL, "/*") {
			t.Fatalf("the SQL holds what is not ours: %s", statement.SQL)
		}
	})
}

func TestProblemsOfMeaningPointAtTheirPlace(t *testing.T) {
	for _, test := range []struct {
		question string
		column   int
		says     string
	}{
		{"MATCH (n:Hots) RETURN n", 10, "there is no label Hots; is Host meant?"},
		{"MATCH (n)-[:RUN]->() RETURN n", 13, "is RUNS meant?"},
		{"MATCH (host:Host) RETURN hots.name", 26, "is host meant?"},
		{"RETURN toUper('a')", 8, "is toUpper() meant?"},
		{"RETURN toUpper(1)", 16, "toUpper() takes a string; this is a whole number"},
		{"RETURN left('a')", 8, "left() takes 2 arguments, not 1: left(text, length)"},
		{"MATCH (n:Host) WHERE n = 'x' RETURN n", 26, "are never equal; compare a property"},
		{"MATCH (n:Host) WHERE n.name RETURN count(n) + n.cores", 47, "stands beside an aggregate"},
		{"MATCH (n:Host) WHERE count(n) > 1 RETURN n", 22, "can be called in WITH and RETURN only"},
		{"RETURN count(count(1))", 14, "cannot be called within another aggregate"},
		{"RETURN 1 AS x, 2 AS x", 21, "two columns are named x"},
		{"MATCH (n:Host) WITH n.name RETURN 1", 21, "WITH needs a name for this"},
		{"MATCH (n:Host) RETURN DISTINCT n.name ORDER BY n.cores", 48, ""},
		{"MATCH (n:Host) RETURN n LIMIT 'x'", 31, "LIMIT is a whole number; this is a string"},
		{"MATCH (n)-[n]->() RETURN n", 12, "n is bound already"},
		{"MATCH ()-[r]->() MATCH (r) RETURN r", 25, "r is a relationship, not a node"},
		{"RETURN [1, 2].a", 15, "has no properties"},
		{"UNWIND 1 AS x RETURN x", 8, "UNWIND needs a list; this is a whole number"},
		{"MATCH (n:Host), (m:Host) RETURN [n, 1]", 37, "cannot stand for one another"},
	} {
		_, _, err := prepare(Question{Text: test.question, Limit: 1}, compile.InGraph("g"))
		problem, ok := errors.AsType[*syntax.Problem](err)
		if !ok || problem.Column != test.column || !strings.Contains(problem.Text, test.says) {
			t.Errorf("%s: %v; want column %d: %s", test.question, err, test.column, test.says)
		}
	}
}

func TestRegexesMeanTheSame(t *testing.T) {
	w := newWorld(t, 1)
	for _, pattern := range []string{`a+b`, `(ab|a)c?`, `[a-c]{2}`, `[^a]*`, `\d+`, `\w*\s\S`, `(?i)AB.`, `^ab$`, `a.c`, `(?s)a.c`, `.*`, `a\.c`, `[\]\\^-]+`, `x*`, `\x{e4}`, `[[:alpha:]]+`, `(?:a|b){1,3}?`, ``} {
		re := regexp.MustCompile(`^(?:` + pattern + `)$`)
		for _, s := range []string{"", "ab", "aab", "abc", "ABC", "a.c", "a\nc", "12", "a b", "ä", "]\\^-", "bbb", "ac"} {
			answer, err := w.Ask(t.Context(), w.own, Question{Text: "RETURN $s =~ $p AS m", Parameters: map[string]any{"s": s, "p": pattern}, Limit: 1})
			if err != nil {
				t.Fatalf("%s: %v", pattern, err)
			}
			if got := string(answer.Items[0]["m"]) == "true"; got != re.MatchString(s) {
				t.Errorf("%q =~ %q is %v", s, pattern, got)
			}
		}
	}
}

func FuzzTranslateRegex(f *testing.F) {
	for _, s := range []string{`a+b`, `[^a-z]{2,3}`, `(?i)x|y`, `\bx`, `(a{1,50}){1,50}`, `\pL`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		translated, err := check.TranslateRegex(text)
		if err == nil && (strings.ContainsRune(translated, 0) || len(translated) > 1<<20) {
			t.Fatalf("%q became %d bytes", text, len(translated))
		}
	})
}

func TestTurnsAreFewAndGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns()
		a, b := tenancy.NewID[tenancy.TenantID](), tenancy.NewID[tenancy.TenantID]()
		for range perTenant {
			if !turns.enter(t.Context(), a) {
				t.Fatal("no turn for the first")
			}
		}
		if turns.enter(t.Context(), a) { // waits for its patience
			t.Error("a tenant has more turns than it may")
		}
		if !turns.enter(t.Context(), b) {
			t.Error("one tenant keeps another waiting")
		}
		turns.leave(a)
		if !turns.enter(t.Context(), a) {
			t.Error("a turn was not given back")
		}
		turns.leave(a)
		turns.leave(a)
		turns.leave(b)
		if len(turns.tenants) != 0 || len(turns.all) != 0 {
			t.Errorf("%d tenants and %d turns are kept", len(turns.tenants), len(turns.all))
		}
	})
}
