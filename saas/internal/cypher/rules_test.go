package cypher

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

type scenario struct {
	about, question string
	want            []string
}

// What openCypher's Technology Compatibility Kit says of reading, in own words
// and, where a graph is needed, on the generated estate. Rows are JSON lists;
// where the question has no ORDER BY, in any order.
var scenarios = []scenario{
	// MATCH
	{"Match1: no node", `MATCH (n:Switch) RETURN n`, nil},
	{"Match1: by property", `MATCH (n:Host {name: 'host1', state: 'down'}) RETURN n.cores`, []string{`[2]`}},
	{"Match2: unknown relationship of a known type", `MATCH (h:Host)-[r:MOUNTS]->() RETURN r`, nil},
	{"Match2: several types", `MATCH (s:Service {key: 's11/0'})-[r:LISTENS_ON|RUNS]-() RETURN type(r) ORDER BY type(r)`, []string{`["LISTENS_ON"]`, `["RUNS"]`}},
	{"Match3: relationships are unique in a pattern", `MATCH (a:Host {name: 'host0'})-[:RUNS]->(s)<-[:RUNS]-(b) RETURN b`, nil},
	{"Match3: relationships are unique in a MATCH", `MATCH (a:Host {name: 'host0'})-[:RUNS]->(s), (b:Host)-[:RUNS]->(s) RETURN b`, nil},
	{"Match3: but not over two", `MATCH (a:Host {name: 'host0'})-[:RUNS]->(s) MATCH (b:Host)-[:RUNS]->(s) RETURN b.name`, []string{`["host0"]`}},
	{"Match3: both directions", `MATCH (i:Interface {key: 'i00'})--(x) RETURN labels(x) ORDER BY labels(x)`, []string{`[["Address"]]`, `[["Host"]]`}},
	{"Match4: variable length, zero included", `MATCH (h:Host {name: 'host0'})-[:RUNS*0..1]->(x) RETURN labels(x) ORDER BY labels(x)`, []string{`[["Host"]]`, `[["Service"]]`}},
	{"Match4: exact length", `MATCH (h:Host {name: 'host0'})-[:RUNS|LISTENS_ON*2]->(x) RETURN labels(x)`, []string{`[["Endpoint"]]`}},
	{"Match4: no relationship twice on a way", `MATCH (h:Host {name: 'host0'})-[r:RUNS*2..4]-(x) RETURN size(r)`, nil},
	{"Match4: properties of all hops", `MATCH (h:Host {name: 'host1'})-[:RUNS*1..1 {pid: 101}]->(x) RETURN x.key`, []string{`["s11/1"]`}},
	{"Match6: a path", `MATCH p = (h:Host {name: 'host0'})-[:RUNS]->(s) RETURN length(p), [n IN nodes(p) | n.key], [r IN relationships(p) | r.pid]`, []string{`[1,["h00","s00/0"],[0]]`}},
	{"Match6: a path of one node", `MATCH p = (h:Host {name: 'host0'}) RETURN length(p)`, []string{`[0]`}},
	{"Match6: a property that is compared with the path", `MATCH p = (o:OS {version: toString(length(p) + 11)}) RETURN o.name`, []string{`["os1"]`}},
	{"Match7: optional, not found", `OPTIONAL MATCH (n:Switch) RETURN n`, []string{`[null]`}},
	{"Match7: optional keeps the row", `MATCH (h:Host {name: 'host1'}) OPTIONAL MATCH (h)-[:HAS_PACKAGES]->(p) RETURN h.name, p`, []string{`["host1",null]`}},
	{"Match7: WHERE belongs to the optional part", `MATCH (h:Host {name: 'host0'}) OPTIONAL MATCH (h)-[:RUNS]->(s) WHERE s.name = 'nothing' RETURN h.name, s`, []string{`["host0",null]`}},
	{"Match7: null ends a pattern", `OPTIONAL MATCH (n:Switch) WITH n MATCH (n)--(m) RETURN m`, nil},
	{"Match7: properties of null", `OPTIONAL MATCH (n:Switch) RETURN n.name, labels(n), id(n), keys(n)`, []string{`[null,null,null,null]`}},
	{"Match7: optional after optional", `MATCH (h:Host {name: 'host1'}) OPTIONAL MATCH (h)-[:HAS_PACKAGES]->(p) OPTIONAL MATCH (p)-[:CONTAINS]->(q) RETURN p, q`, []string{`[null,null]`}},
	{"Match8: two patterns multiply", `MATCH (a:OS), (b:OS) RETURN count(*)`, []string{`[9]`}},
	{"MatchWhere: pattern", `MATCH (h:Host) WHERE (h)-[:RUNS]->(:Service {key: 's11/1'}) RETURN h.name`, []string{`["host1"]`}},
	{"MatchWhere: no pattern", `MATCH (h:Host) WHERE NOT (h)-[:HAS_PACKAGES]->() AND h.cores = 2 RETURN h.name ORDER BY h.name`, []string{`["host1"]`, `["host11"]`, `["host21"]`}},
	{"MatchWhere: joins", `MATCH (a:OS), (b:OS) WHERE a.version < b.version RETURN a.version, b.version ORDER BY a.version, b.version`, []string{`["10","11"]`, `["10","12"]`, `["11","12"]`}},
	{"MatchWhere: a property that is missing", `MATCH (h:Host {name: 'host1'}) WHERE h.nothing = 1 OR h.nothing <> 1 RETURN h`, nil},
	{"MatchWhere: of labels", `MATCH (x) WHERE x:OS OR x:PackageSet RETURN count(*)`, []string{`[4]`}},

	// WITH, aggregation
	{"With1: hands on", `MATCH (h:Host {name: 'host2'}) WITH h AS x RETURN x.name`, []string{`["host2"]`}},
	{"With1: forgets the rest", `MATCH (h:Host {name: 'host2'}) WITH h.name AS n RETURN *`, []string{`["host2"]`}},
	{"With4: order and limit go before WHERE", `UNWIND [1, 2, 3, 4] AS x WITH x ORDER BY x DESC LIMIT 2 WHERE x < 4 RETURN x`, []string{`[3]`}},
	{"With6: groups", `UNWIND [[1, 'a'], [1, 'b'], [2, 'c']] AS p WITH p[0] AS k, collect(p[1]) AS v RETURN k, size(v) ORDER BY k`, []string{`[1,2]`, `[2,1]`}},
	{"WithWhere: of an aggregate", `UNWIND [1, 1, 2] AS x WITH x, count(*) AS c WHERE c > 1 RETURN x`, []string{`[1]`}},
	{"Aggregation1: count leaves nulls out", `UNWIND [1, null, 2] AS x RETURN count(x), count(*)`, []string{`[2,3]`}},
	{"Aggregation2: min and max of unlike types", `UNWIND [1, 'a', null, 0.2, 'b', '1', '99'] AS x RETURN min(x), max(x)`, []string{`["1",1]`}},
	{"Aggregation2: of lists", `UNWIND [[2], [2, 1]] AS x RETURN max(x), min(x)`, []string{`[[2,1],[2]]`}},
	{"Aggregation3: sum", `UNWIND [1, 2.5, null] AS x RETURN sum(x)`, []string{`[3.5]`}},
	{"Aggregation3: of nothing", `UNWIND [] AS x RETURN sum(x), count(x), avg(x), min(x), collect(x)`, []string{`[0,0,null,null,[]]`}},
	{"Aggregation5: collect leaves nulls out", `UNWIND [null, 1] AS x RETURN collect(x)`, []string{`[[1]]`}},
	{"Aggregation8: distinct", `UNWIND [1, 1, 1.0, 2, null, null] AS x RETURN count(DISTINCT x), sum(DISTINCT x)`, []string{`[2,3]`}},
	{"Aggregation: no rows, with a key", `MATCH (n:Switch) RETURN n.name, count(*)`, nil},
	{"Aggregation: no rows, without", `MATCH (n:Switch) RETURN count(*)`, []string{`[0]`}},
	{"Aggregation: in an expression", `UNWIND [1, 2] AS x RETURN 10 + sum(x) * 2 AS s`, []string{`[16]`}},
	{"Aggregation: beside its key", `UNWIND [1, 1, 2] AS x RETURN x, x + count(*) AS s ORDER BY x`, []string{`[1,3]`, `[2,3]`}},

	// RETURN, ORDER BY, SKIP, LIMIT
	{"Return: distinct nulls are one", `UNWIND [null, null, 1] AS x RETURN DISTINCT x ORDER BY x`, []string{`[1]`, `[null]`}},
	{"ReturnOrderBy1: unlike types", `UNWIND [1.5, 'text', false, null, {a: 'map'}, ['list'], 1] AS x RETURN x ORDER BY x`, []string{`[{"a":"map"}]`, `[["list"]]`, `["text"]`, `[false]`, `[1]`, `[1.5]`, `[null]`}},
	{"ReturnOrderBy1: and back", `UNWIND [1.5, 'text', false, null] AS x RETURN x ORDER BY x DESC`, []string{`[null]`, `[1.5]`, `[false]`, `["text"]`}},
	{"ReturnOrderBy1: lists", `UNWIND [[], ['a'], ['a', 1], [1], [1, 'a'], [1, null], [null, 1], [null, 2]] AS x RETURN x ORDER BY x`,
		[]string{`[[]]`, `[["a"]]`, `[["a",1]]`, `[[1]]`, `[[1,"a"]]`, `[[1,null]]`, `[[null,1]]`, `[[null,2]]`}},
	{"ReturnOrderBy2: by what is not returned", `MATCH (o:OS) RETURN o.name ORDER BY o.version DESC`, []string{`["os2"]`, `["os1"]`, `["os0"]`}},
	{"ReturnOrderBy2: by an expression over a column", `UNWIND [1, 2, 3] AS x RETURN x AS y ORDER BY y * -1`, []string{`[3]`, `[2]`, `[1]`}},
	{"ReturnOrderBy4: by an aggregate", `UNWIND [1, 1, 2] AS x RETURN x, count(*) ORDER BY count(*) DESC`, []string{`[1,2]`, `[2,1]`}},
	{"ReturnSkipLimit", `UNWIND [1, 2, 3, 4] AS x RETURN x ORDER BY x SKIP 1 LIMIT 2`, []string{`[2]`, `[3]`}},
	{"ReturnSkipLimit: zero", `UNWIND [1] AS x RETURN x LIMIT 0`, nil},
	{"Unwind: null", `UNWIND null AS x RETURN x`, nil},
	{"Unwind: a list of lists", `UNWIND [[1, 2], [3, 4]] AS l UNWIND l AS x RETURN sum(x)`, []string{`[10]`}},
	{"Unwind: nodes", `MATCH (o:OS) WITH collect(o) AS all_of UNWIND all_of AS o RETURN o.name ORDER BY o.name`, []string{`["os0"]`, `["os1"]`, `["os2"]`}},
	{"Unwind: nodes to match from", `MATCH (h:Host {name: 'host0'}) WITH collect(h) AS hs UNWIND hs AS h MATCH (h)-[:RUNS]->(s) RETURN s.key`, []string{`["s00/0"]`}},

	// Expressions
	{"Boolean: three values", `RETURN true AND null, false AND null, true OR null, false OR null, NOT null, true XOR null`, []string{`[null,false,true,null,null,null]`}},
	{"Comparison1: unlike types are not equal", `RETURN 1 = '1', 1 = true, [1] = 1, 'a' = 'A', 1 = 1.0`, []string{`[false,false,false,false,true]`}},
	{"Comparison1: null", `RETURN null = null, null <> null, 1 = null`, []string{`[null,null,null]`}},
	{"Comparison1: lists with null", `RETURN [1, null] = [1, 2], [1, null] = [2, null], [null] = [null], [1] = [1, null]`, []string{`[null,false,null,false]`}},
	{"Comparison1: maps", `RETURN {a: 1} = {a: 1}, {a: 1} = {a: 2}, {a: null} = {a: 1}, {a: 1} = {b: 1}`, []string{`[true,false,null,false]`}},
	{"Comparison2: unlike types have no order", `UNWIND ['a', true, [1]] AS x RETURN 1 < x`, []string{`[null]`, `[null]`, `[null]`}},
	{"Comparison2: chains", `RETURN 1 < 2 < 3, 1 < 3 < 2, 1 < 2 = 2`, []string{`[true,false,true]`}},
	{"Comparison2: lists", `RETURN [1, 0] >= [1], [1, null] >= [1], [1, 2] >= [1, null], [1, 2] < [3, null]`, []string{`[true,true,null,true]`}},
	{"List: IN and null", `RETURN 1 IN [null], 1 IN [1, null], null IN [], null IN [1], [1] IN [[1]], 1 IN []`, []string{`[null,true,false,null,true,false]`}},
	{"List: index", `RETURN [1, 2][0], [1, 2][-1], [1, 2][2], [1][null]`, []string{`[1,2,null,null]`}},
	{"List: slice", `RETURN [1, 2, 3, 4, 5][1..3], [1, 2, 3][0..-1], [1, 2, 3][-3..-1], [1, 2][5..], [1, 2][null..1]`, []string{`[[2,3],[1,2],[1,2],[],null]`}},
	{"List: plus", `RETURN [1] + [2], [1] + 2, 0 + [1], [[1]] + [[2]]`, []string{`[[1,2],[1,2],[0,1],[[1],[2]]]`}},
	{"List: comprehension", `RETURN [x IN [1, 2, 3]], [x IN [1, 2, 3] WHERE x > 1], [x IN [1, 2] | x * 2], [x IN null | x]`, []string{`[[1,2,3],[2,3],[2,4],null]`}},
	{"List: size", `RETURN size([1, null]), size(''), size(null)`, []string{`[2,0,null]`}},
	{"List: range", `RETURN range(0, 3), range(3, 0), range(3, 0, -1), range(0, 10, 4)`, []string{`[[0,1,2,3],[],[3,2,1,0],[0,4,8]]`}},
	{"Quantifier: all", `RETURN all(x IN [] WHERE x), all(x IN [1, null] WHERE x = 1), all(x IN [2, null] WHERE x = 1), all(x IN [1] WHERE x = 1)`, []string{`[true,null,false,true]`}},
	{"Quantifier: any", `RETURN any(x IN [] WHERE x), any(x IN [1, null] WHERE x = 1), any(x IN [2, null] WHERE x = 1)`, []string{`[false,true,null]`}},
	{"Quantifier: none", `RETURN none(x IN [] WHERE x), none(x IN [1, null] WHERE x = 1), none(x IN [2, null] WHERE x = 1)`, []string{`[true,false,null]`}},
	{"Quantifier: single", `RETURN single(x IN [] WHERE x), single(x IN [1, null] WHERE x = 1), single(x IN [1, 1] WHERE x = 1), single(x IN [1] WHERE x = 1)`, []string{`[false,null,false,true]`}},
	{"Map: access", `RETURN {a: 1}.a, {a: 1}.b, {a: {b: 2}}.a.b, {a: 1}['a']`, []string{`[1,null,2,1]`}},
	{"Map: access by name of a value", `WITH {a: 1, b: 2} AS m UNWIND keys(m) AS k RETURN k, m[k] ORDER BY k`, []string{`["a",1]`, `["b",2]`}},
	{"Map: keys", `RETURN keys({b: 1, a: 2}), keys(null)`, []string{`[["a","b"],null]`}},
	{"Graph: dynamic property", `MATCH (n:OS {name: 'os1'}) RETURN n['name'], n['na' + 'me']`, []string{`["os1","os1"]`}},
	{"Graph: functions", `MATCH (h:Host {name: 'host0'})-[r:RUNS]->(s) RETURN type(r), labels(h), keys(r), properties(r), startNode(r).name, endNode(r) = s`, []string{`["RUNS",["Host"],["pid"],{"pid":0},"host0",true]`}},
	{"Mathematical", `RETURN 7 / 2, -7 / 2, 7 % 3, -7 % 3, 7.0 / 2, 2 ^ 3, 1 + 2 * 3`, []string{`[3,-3,1,-1,3.5,8.0,7]`}},
	{"Mathematical: rounding", `RETURN round(1.5), round(-1.5), round(2.4), ceil(1.1), floor(-1.1), abs(-2), abs(-2.5), sign(0)`, []string{`[2.0,-1.0,2.0,2.0,-2.0,2,2.5,0]`}},
	{"Precedence", `RETURN 2 + 3 * 2 ^ 2, NOT true OR true, NOT (true OR true), -2 ^ 2, 1 + 1 IN [2]`, []string{`[14.0,true,false,4.0,true]`}},
	{"String: match", `RETURN 'abc' STARTS WITH 'ab', 'abc' ENDS WITH 'bc', 'abc' CONTAINS 'b', 'abc' STARTS WITH null, '' STARTS WITH '', 'a%c' CONTAINS '%'`, []string{`[true,true,true,null,true,true]`}},
	{"String: match of what is no string", `UNWIND [1, [], {}, true, null] AS x RETURN x STARTS WITH 'a', x ENDS WITH 'a', x CONTAINS 'a'`, []string{`[null,null,null]`, `[null,null,null]`, `[null,null,null]`, `[null,null,null]`, `[null,null,null]`}},
	{"String: functions", `RETURN substring('0123456789', 1), substring('abc', 0, 1), split('one,two', ','), reverse('raksO'), toUpper('ä'), replace('aaa', 'a', 'bb')`, []string{`["123456789","a",["one","two"],"Oskar","Ä","bbbbbb"]`}},
	{"String: regular expression", `RETURN 'abc' =~ 'a.c', 'abc' =~ 'b', 'ABC' =~ '(?i)abc', 'a' =~ null, 'aaa' =~ 'a{2,3}', 'x.y' =~ 'x\\.y', 'ab' =~ 'a|ab', 'é' =~ '[^a-z]'`, []string{`[true,false,true,null,true,true,true,true]`}},
	{"String: escapes", `RETURN 'a\'b', "a'b", 'a\\b', 'a\u00e4b', 'tab\tend', ''`, []string{`["a'b","a'b","a\\b","aäb","tab\tend",""]`}},
	{"TypeConversion", `RETURN toInteger('82'), toInteger('82.9'), toInteger('foo'), toInteger(82.9), toFloat('82'), toFloat('x'), toString(1.0), toString(true), toBoolean('TRUE'), toBoolean('x')`, []string{`[82,82,null,82,82.0,null,"1.0","true",true,null]`}},
	{"Case: simple", `UNWIND [1, 2, 3] AS x RETURN CASE x WHEN 1 THEN 'one' WHEN 2 THEN 'two' ELSE 'many' END`, []string{`["one"]`, `["two"]`, `["many"]`}},
	{"Case: null matches nothing", `RETURN CASE null WHEN null THEN 1 ELSE 2 END, CASE WHEN null THEN 1 ELSE 2 END, CASE 1 WHEN 2 THEN 3 END`, []string{`[2,2,null]`}},
	{"Null: IS NULL", `RETURN null IS NULL, 1 IS NOT NULL, {a: null}.a IS NULL`, []string{`[true,true,true]`}},
	{"Null: coalesce", `RETURN coalesce(null, null), coalesce(null, 1, 2), coalesce(null, 'a', 1)`, []string{`[null,1,"a"]`}},
	{"Literals: numbers", `RETURN 0x1F, 0o17, 1e3, .5, -9223372036854775808, 9223372036854775807`, []string{`[31,15,1000.0,0.5,-9223372036854775808,9223372036854775807]`}},
	{"Literals: comments", "RETURN /* one */ 1 // and no more\n AS x", []string{`[1]`}},
	{"Names in backticks", "WITH 1 AS `a b` RETURN `a b` AS `match`", []string{`[1]`}},
	{"Keywords in any case", "match (n:OS) Return Count(*)", []string{`[3]`}},
}

func TestScenariosOfOpenCypher(t *testing.T) {
	w := newWorld(t, 24)
	all := append(slices.Clip(scenarios), moreScenarios...)
	for _, s := range all {
		got, err := w.ask(t, s.question, nil)
		if err != nil {
			t.Errorf("%s: %s: %v", s.about, s.question, err)
			continue
		}
		for i := range got {
			got[i] = compact(t, got[i])
		}
		want := slices.Clone(s.want)
		if !strings.Contains(s.question, "ORDER BY") {
			slices.Sort(got)
			slices.Sort(want)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %s\n got %s\nwant %s", s.about, s.question, strings.Join(got, " "), strings.Join(want, " "))
		}
	}
	t.Logf("%d scenarios", len(all))
}

// compact is JSON without spaces.
func compact(t *testing.T, text string) string {
	t.Helper()
	var v any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	b := &strings.Builder{}
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(b.String())
}
