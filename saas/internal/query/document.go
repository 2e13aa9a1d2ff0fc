package query

import (
	"fmt"
	"io"
	"strings"
)

// Document writes the questions for people, in Markdown.
func Document(w io.Writer) error {
	queries, err := load()
	if err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString(`# Queries

Written by ` + "`make generate`" + ` from the files in saas/internal/query/queries; how to add one: [write-a-query.md](write-a-query.md).

Ask with ` + "`assim query NAME PARAMETER=VALUE`" + `, at ` + "`GET /v1/queries/NAME`" + `, or on the dashboard's page of queries. Every answer has at most
10,000 rows a page and takes at most 10 seconds; every query sees its own tenant only.
`)
	for _, group := range grouped(queries) {
		fmt.Fprintf(&b, "\n## %s\n", title(group[0].Group))
		for i := range group {
			group[i].document(&b)
		}
	}
	b.WriteString(later)
	_, err = io.WriteString(w, b.String())
	return err
}

func (q *Query) document(b *strings.Builder) {
	fmt.Fprintf(b, "\n### %s\n%s\n", q.Name, q.Description)
	if q.Note != "" {
		fmt.Fprintf(b, "\n%s\n", q.Note)
	}
	if q.Relay {
		b.WriteString("\nSites that keep their topology are asked live.\n")
	}
	fmt.Fprintf(b, "\n    assim query %s\n", strings.TrimSpace(q.Name+" "+strings.ReplaceAll(q.Example, "&", " ")))
	if len(q.Parameters) > 0 {
		b.WriteString("\n| parameter | type | default | what it is |\n|---|---|---|---|\n")
		for _, p := range q.Parameters {
			fmt.Fprintf(b, "| %s | %s | %s | %s |\n", p.Name, p.Type, p.Default, p.Doc)
		}
	}
	b.WriteString("\n| column | type | what it is |\n|---|---|---|\n")
	for _, c := range q.Columns {
		fmt.Fprintf(b, "| %s | %s | %s |\n", c.Name, c.Type, c.Doc)
	}
}

// later is what the ancestor of this product answers and this does not yet.
const later = `
## Not yet

Of the 35 queries of the Assimilation Project, these wait for what they ask about:

| queries | wait for |
|---|---|
| allservicestatus, hostservicestatus, downservices, unmonitored | monitoring of services |
| allhostscores, sechostscores, allrulescores, secrulescores, totalscores, allbpscores, allserversecscores, allservernetscores | best practices and their scores |

Its ` + "`list`" + ` is ` + "`assim query list`" + `. ` + "`nodns`" + ` lists addresses that no fact names: the DNS is never asked. Duplicate SSH host keys are not told, as no fact has them yet.
`
