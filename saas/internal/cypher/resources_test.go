package cypher

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/saas/internal/cypher/compile"
	"assimilation/saas/internal/cypher/syntax"
	"assimilation/tenancy/store"
)

// many writes a list of the same item.
func many(item string, n int) string {
	return "[" + strings.TrimSuffix(strings.Repeat(item+",", n), ",") + "]"
}

// sum writes many terms in rows that the parser takes.
func sum(term string, rows int) string {
	row := "(" + strings.TrimSuffix(strings.Repeat(term+"+", 90), "+") + ")"
	return strings.TrimSuffix(strings.Repeat(row+"+", rows), "+")
}

// bombs try to make the service or the server use much memory in one row, where
// no timeout helps: the first with what is refused, the second with as much as
// is let through.
func bombs() []struct {
	about, question string
	parameters      map[string]any
	says            string // "": it may be answered
} {
	numbers := make([]any, 9000)
	for i := range numbers {
		numbers[i] = int64(1_000_000_000_000_000 + i)
	}
	list, text := map[string]any{"l": numbers}, map[string]any{"s": strings.Repeat("x", 250_000)}
	doubled := func(times int) string {
		return "WITH 'aaaaaaaaaaaaaaaa' AS s " + strings.Repeat("WITH s + s AS s ", times)
	}
	long := strings.Repeat("a", 100)
	return []struct {
		about, question string
		parameters      map[string]any
		says            string
	}{
		{"a large list used 3000 times", "RETURN size(" + many(many("$l", 1000), 3) + ")", list, "used too often"},
		{"a long string used 3000 times", "RETURN size(" + many(many("$s", 1000), 3) + ")", text, "used too often"},
		{"a large list under a name", "WITH $l AS l RETURN " + sum("size(l)", 10), list, ""},
		{"a long string under a name", "WITH $s AS s RETURN " + sum("size(toUpper(s))", 8), text, ""},
		{"a list of large lists", "RETURN size(" + many("range(1,100000)", 800) + ")", nil, "larger than"},
		{"one list, many times in another", "WITH range(1,18000) AS l RETURN size(" + many("l", 900) + ")", nil, "larger than"},
		{"large lists joined", "WITH range(1,100000) AS l RETURN " + sum("size(l+l)", 12), nil, "larger than"},
		{"lists joined", "WITH range(1,1700) AS l RETURN " + sum("size(l+l)", 12), nil, ""},
		{"large items of maps", "WITH {a: range(1,100000)} AS m RETURN " + sum("size(m.a)", 12), nil, "larger than"},
		{"items of maps", "WITH {a: range(1,5000)} AS m RETURN " + sum("size(m.a)", 12), nil, ""},
		{"large tails", "WITH range(1,100000) AS l RETURN " + sum("size(tail(l))", 9), nil, "larger than"},
		{"long strings", doubled(16) + "RETURN " + sum("size(toUpper(s))", 8), nil, "larger than"},
		{"strings", doubled(12) + "RETURN " + sum("size(toUpper(s))", 8), nil, ""},
		{"strings in strings", doubled(12) + "RETURN " + sum("size("+strings.Repeat("reverse(", 8)+"s"+strings.Repeat(")", 8)+")", 1), nil, ""},
		{"items of split strings", doubled(12) + "RETURN " + sum("size(split(s,''))", 8), nil, ""},
		{"sorts upon sorts", "UNWIND range(1,100000) AS a WITH a, toString(a)+'" + long + "' AS s " +
			strings.Repeat("WITH a, s ORDER BY s DESC WITH a, s ORDER BY s, a ", 14) + "RETURN count(*)", nil, ""},
		{"groups upon groups", "UNWIND range(1,80000) AS a WITH a, toString(a)+'" + long + "' AS s " + strings.Repeat("WITH DISTINCT a, s ", 28) + "RETURN count(*)", nil, ""},
	}
}

// mostMemory is what one question may take of the server's: twice 256 MB, and
// something for the planner and for what the session knows of the catalog.
const mostMemory = 700 << 20

func TestNoQuestionTakesMuchMemory(t *testing.T) {
	w := makeWorld(t, 24, true)
	for _, bomb := range bombs() {
		statement, _, err := prepare(Question{Text: bomb.question, Parameters: bomb.parameters, Limit: 10}, compile.InGraph(store.Graph(w.own)))
		peak := 0
		if err == nil {
			err = w.db.ReadBounded(t.Context(), w.own, memory(statement), func(tx pgx.Tx) error {
				stop := watch(t, tx.Conn().PgConn().PID(), &peak)
				defer stop()
				_, err := tx.Exec(t.Context(), statement.SQL, arguments(statement)...)
				return err
			})
			if refused := refusal(err); refused != nil {
				err = refused
			}
		}
		_, isProblem := errors.AsType[*syntax.Problem](err)
		_, isRefused := errors.AsType[*Refused](err)
		t.Logf("%s: %d MB, %v", bomb.about, peak>>20, err)
		switch {
		case peak > mostMemory:
			t.Errorf("%s took %d MB", bomb.about, peak>>20)
		case err != nil && !isProblem && !isRefused:
			t.Errorf("%s: %v", bomb.about, err)
		case bomb.says != "" && (err == nil || !strings.Contains(err.Error(), bomb.says)):
			t.Errorf("%s: %v, want %q", bomb.about, err, bomb.says)
		}
	}
}

// watch looks at the memory that a session of the server has of its own, until it
// is stopped. A server that runs elsewhere is not seen.
func watch(t *testing.T, pid uint32, peak *int) (stop func()) {
	t.Helper()
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				*peak = max(*peak, anonymous(pid))
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}

// anonymous is the resident memory of a process that no file is behind, see
// proc_pid_status(5); 0 if there is no such process.
func anonymous(pid uint32) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, after, _ := bytes.Cut(text, []byte("RssAnon:"))
	kilobytes := 0
	fmt.Sscan(string(after), &kilobytes)
	return kilobytes << 10
}
