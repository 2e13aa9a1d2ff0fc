package cypher

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"assimilation/saas/internal/cypher/syntax"
	"assimilation/tenancy/store"
)

// attacks are questions that must be refused, and what the refusal must say.
// {other} is the schema of another tenant.
var attacks = []struct{ question, says string }{
	// Writes, each by its name.
	{`CREATE (n:Host {key: 'x'})`, "CREATE is refused"},
	{`CREATE (n:Host {key: 'x'}) RETURN n`, "CREATE is refused"},
	{`MERGE (n:Host {key: 'x'}) RETURN n`, "MERGE is refused"},
	{`MATCH (n:Host) SET n.name = 'x' RETURN n`, "SET is refused"},
	{`MATCH (n:Host) SET n += {a: 1} RETURN n`, "SET is refused"},
	{`MATCH (n:Host) SET n:Service RETURN n`, "SET is refused"},
	{`MATCH (n:Host) REMOVE n.name RETURN n`, "REMOVE is refused"},
	{`MATCH (n:Host) DELETE n`, "DELETE is refused"},
	{`MATCH (n:Host) DETACH DELETE n`, "DETACH is refused"},
	{`MATCH (n) FOREACH (x IN [1] | SET n.a = x)`, "FOREACH is refused"},
	{`DROP INDEX x`, "DROP is refused"},
	{`CREATE CONSTRAINT ON (n:Host) ASSERT n.key IS UNIQUE`, "CREATE is refused"},
	{`MATCH (n:Host) RETURN n; CREATE (m)`, "CREATE is refused"},
	{`MATCH (n:Host) RETURN n; MATCH (m) DETACH DELETE m`, "nothing can follow RETURN"},
	{`MATCH (n:Host) WITH n CREATE (m) RETURN m`, "CREATE is refused"},
	{"match (n) \u0064elete n", "DELETE is refused"},
	// Out of the language, out of the graph.
	{`CALL db.labels()`, "CALL is refused"},
	{`CALL { MATCH (n) RETURN n } RETURN 1`, "CALL is refused"},
	{`LOAD CSV FROM 'file:///etc/passwd' AS l RETURN l`, "LOAD is refused"},
	{`USE other MATCH (n) RETURN n`, "USE is refused"},
	{`MATCH (n:Host) RETURN n UNION MATCH (n:Host) RETURN n`, "UNION is refused"},
	{`EXPLAIN MATCH (n) RETURN n`, "EXPLAIN is refused"},
	{`SELECT * FROM assim.users`, "SELECT is refused"},
	{`COPY x TO PROGRAM 'id'`, "COPY is refused"},
	{`MATCH (n:Host) WHERE EXISTS { MATCH (n) DELETE n } RETURN n`, "EXISTS { } is not part"},
	// Other graphs.
	{`RETURN startnode('{other}', {id: 1, start_id: 1, end_id: 1, label: 'RUNS', properties: {}}::edge)`, `the label is missing`},
	{`RETURN startNode('{other}')`, "takes a relationship; this is a string"},
	{`RETURN ag_catalog.age_startnode('{other}', 1)`, "is no function of the language"},
	{`MATCH (n:{other}) RETURN n`, "there is no label"},
	{"MATCH (n:`{other}\".\"Host`) RETURN n", "there is no label"},
	{"MATCH ()-[r:`RUNS\" UNION ALL SELECT`]->() RETURN r", "there is no relationship type"},
	{`MATCH (n:_ag_label_vertex) RETURN n`, "there is no label"},
	// Functions of the server.
	{`RETURN set_config('role', 'postgres', false)`, "is refused: functions of Postgres"},
	{`RETURN pg_sleep(100)`, "is refused: functions of Postgres"},
	{`RETURN query_to_xml('SELECT 1', true, true, '')`, "is refused: functions of Postgres"},
	{`RETURN pg_catalog.pg_sleep(100)`, "is no function of the language"},
	{`RETURN current_setting('is_superuser')`, "is refused: functions of Postgres"},
	{`RETURN load_labels_from_file('g', 'Host', '/etc/passwd')`, "is refused: files"},
	{`RETURN lo_creat(-1)`, "there is no function"},
	{`RETURN version()`, "there is no function"},
	{`RETURN apoc.cypher.run('MATCH (n) DELETE n', {})`, "is no function of the language"},
	{`RETURN vle(1)`, "is refused"},
	{`RETURN cypher.fail('x')`, "is no function of the language"},
	// Text that tries to leave its place.
	{`MATCH (n:Host) WHERE n.name = '' OR 1=1; DROP TABLE x --' RETURN n`, "this string has no end"},
	{`MATCH (n:Host) WHERE n.name = 'a'' OR ''1''=''1' RETURN n`, "clause"},
	{`RETURN $q$ x $q$`, "the name of a parameter must follow the $"},
	{`RETURN $$`, "the name of a parameter must follow the $"},
	{`RETURN $1`, "the parameter $1 has no value"},
	{`RETURN 1 /* `, "this comment has no end"},
	{`RETURN '`, "this string has no end"},
	{"RETURN 'a\x00b'", "NUL"},
	{`RETURN 'a\u0000b'`, "NUL"},
	{"RETURN '\xff'", "not valid UTF-8"},
	{"RETURN \u201cx\u201d", "has no meaning here"},
	{`RETURN "\ud800"`, "there is no such escape"},
	{"RETURN `x", "backtick"},
	{`RETURN 1; RETURN 2`, "nothing can follow RETURN"},
	{`RETURN 1::text`, ``},
	{`RETURN n.*`, `the name of a property is missing`},
	{`MATCH (n $props) RETURN n`, "a parameter cannot stand for all properties"},
	// Time.
	{`MATCH (a)-[*]->(b) RETURN b`, "say how far to walk"},
	{`MATCH (a)-[*1..]->(b) RETURN b`, "say how far to walk"},
	{`MATCH (a)-[*1..100]->(b) RETURN b`, "hops are too many"},
	{`MATCH (a)-[*0..99999999999999999999]->(b) RETURN b`, "hops are too many"},
	{`UNWIND range(1, 100000) AS a UNWIND range(1, 100000) AS b WITH a + b AS c WHERE c < 0 RETURN c`, "took longer than 5 s"},
	{`MATCH (a), (b), (c), (d), (e) WHERE a.key = b.name + c.name + d.name + e.name RETURN a`, "took longer than 5 s"},
	{`MATCH shortestPath((a)-[*]-(b)) RETURN a`, "shortestPath is not part"},
	{`RETURN 'a' =~ '((a{1,50}){1,50}){1,50}'`, "regular expression"},
	{`RETURN 'a' =~ 'a{1,1000}'`, "too large"}, {`RETURN 'a' =~ 'a{300}'`, "repeats at most 255 times"},
	{`RETURN 'a' =~ '(a)\\1'`, "regular expression is not understood"},
	{`RETURN 'a' =~ '(?=a)a'`, "regular expression is not understood"},
	{`UNWIND ['a'] AS p RETURN 'a' =~ p`, "not calculated"},
	// Memory.
	{`RETURN range(1, 1000000000)`, "range() gives at most"},
	{`RETURN range(0, 9223372036854775807)`, "range() gives at most"},
	{`RETURN [x IN range(1, 100000) | range(1, 100000)]`, "larger than"},
	{`UNWIND range(1, 100000) AS a UNWIND range(1, 1000) AS b RETURN collect(a)`, ""},
	{`UNWIND range(1, 100000) AS a UNWIND range(1, 1000) AS b RETURN collect([a, b, 'abcdefghijklmnop'])`, ""},
	{`WITH range(1, 100000) AS l ` + strings.Repeat("WITH l + l AS l ", 20) + `RETURN size(l)`, ""},
	{`WITH range(1, 100000) AS l WITH [` + strings.TrimSuffix(strings.Repeat("l,", 500), ",") + `] AS l RETURN size(l)`, ""},
	{`WITH 'aaaaaaaaaaaaaaaa' AS s ` + strings.Repeat("WITH s + s AS s ", 25) + `RETURN size(s)`, "a string grows larger than 1024 KiB"},
	{`WITH replace('aaaaaaaaaa', 'a', '` + strings.Repeat("b", 1000) + `') AS s ` + strings.Repeat("WITH replace(s, 'b', '"+strings.Repeat("b", 200)+"') AS s ", 4) + `RETURN size(s)`, "replace() makes a string larger than"},
	{`UNWIND range(1, 100000) AS x RETURN x, range(1, 1000)`, "8 MiB"},
	{`RETURN ` + strings.Repeat("(", 500) + `1` + strings.Repeat(")", 500), "nested more than"},
	{`RETURN ` + strings.Repeat("[", 500) + strings.Repeat("]", 500), "nested more than"},
	{`RETURN ` + strings.Repeat("NOT ", 3000) + `true`, "nested more than"},
	{`RETURN ` + strings.Repeat("-", 3000) + `1`, "nested more than"},
	{`RETURN 1` + strings.Repeat("+1", 5000), "stand in one row"},
	{`RETURN ` + strings.Repeat("x", 17000), "at most 16384"},
	{`MATCH ` + strings.TrimSuffix(strings.Repeat("(),", 100), ",") + ` RETURN 1`, "at most 24"},
	{`MATCH ()` + strings.Repeat("-->()", 40) + ` RETURN 1`, "at most"},
	{strings.Repeat("WITH 1 AS x ", 100) + "RETURN x", "at most 32"},
	{`WITH 1 AS x RETURN ` + strings.Repeat("(1 < ", 38) + "x" + strings.Repeat(" < 1)", 38), ""},
	// What crashes AGE.
	{`MATCH (n:Host) WHERE n CONTAINS 'x' RETURN n`, "compares strings; this is a node"},
	{`MATCH (n:Host) WHERE n STARTS WITH 'x' RETURN n`, "compares strings; this is a node"},
	{`MATCH (n:Host) RETURN [1, 2][n]`, "the index of a list is a whole number; this is a node"},
	{`RETURN 'a' CONTAINS (1 IN [1])`, "compares strings; this is a boolean"},
	{`RETURN toFloatList([1.0e308])`, "there is no function toFloatList"},
	{`MATCH (n:Host) WHERE exists((n)-[*]->()) RETURN n`, "say how far to walk"},
	{`MATCH (n:Host) RETURN n + 1`, "+ adds numbers"},
	{`MATCH (n:Host)-[r]->() RETURN r < 1`, "has no order"},
	{`MATCH (n:Host) RETURN -n`, "only a number has a sign"},
	{`MATCH (n:Host) RETURN sum(n)`, "takes a whole number or a number; this is a node"},
	{`MATCH (n:Host) WHERE n RETURN n`, "needs a condition; this is a node"},
	// At the edge of numbers.
	{`RETURN 9223372036854775807 + 1`, "outside 64 bits"},
	{`RETURN 9223372036854775808`, "no whole number of 64 bits"},
	{`RETURN 1e999`, "no number of 64 bits"},
	{`RETURN 1 / 0`, "divided by 0"},
	{`RETURN 1 % 0`, "divided by 0"},
	{`RETURN sqrt(-1)`, ""},
	{`RETURN log(0)`, "logarithm"},
	{`RETURN 10.0 ^ 400`, "outside 64 bits"},
	{`RETURN toInteger('1e300')`, "outside 64 bits"},
	{`RETURN substring('abc', -1)`, "negative"},
}

func TestAttacksAreRefusedWithAReason(t *testing.T) {
	w := newWorld(t, 200)
	before := w.fingerprint(t)
	other := store.Graph(w.other)
	refused := 0
	for _, attack := range attacks {
		question := strings.ReplaceAll(attack.question, "{other}", other)
		_, err := w.ask(t, question, nil)
		_, isProblem := errors.AsType[*syntax.Problem](err)
		_, isRefused := errors.AsType[*Refused](err)
		switch {
		case err == nil:
			t.Errorf("%.200s was answered", question)
		case !isProblem && !isRefused:
			t.Errorf("%.200s: an error that says nothing to who asked: %v", question, err)
		case !strings.Contains(err.Error(), attack.says):
			t.Errorf("%.200s:\n says %q,\n want %q", question, err, attack.says)
		default:
			refused++
		}
		if err != nil && (strings.Contains(err.Error(), "SQLSTATE") || !strings.Contains(question, other) && strings.Contains(err.Error(), other)) {
			t.Errorf("%.200s: the refusal tells of the database: %v", question, err)
		}
	}
	t.Logf("%d of %d attacks are refused", refused, len(attacks))
	// No backend died, nothing was written.
	if rows, err := w.ask(t, "MATCH (n:OS) RETURN count(*)", nil); err != nil || rows[0] != "[3]" {
		t.Errorf("after the attacks: %v, %v", rows, err)
	}
	if after := w.fingerprint(t); after != before {
		t.Errorf("the attacks changed the graph or the server: %s, before %s", after, before)
	}
}

// fingerprint is when the server started and what both graphs hold.
func (w world) fingerprint(t *testing.T) string {
	t.Helper()
	var print string
	err := w.admin.QueryRow(t.Context(), fmt.Sprintf(`SELECT pg_postmaster_start_time()::text || (SELECT md5(string_agg(ag_catalog.agtype_out(properties)::text, ',' ORDER BY id::text)) FROM %s._ag_label_vertex) ||
		(SELECT md5(string_agg(ag_catalog.agtype_out(properties)::text, ',' ORDER BY id::text)) FROM %s._ag_label_vertex)`, store.Graph(w.own), store.Graph(w.other))).Scan(&print)
	if err != nil {
		t.Fatal(err)
	}
	return print
}
