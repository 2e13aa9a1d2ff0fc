package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"assimilation/discovery"
	"assimilation/discovery/residency"
)

const generated = "Written by `make generate` from the program; do not edit.\n"

// costs are the classes of cost: what a collection is given before it is ended
// says what its kind needs at worst.
var costs = []struct {
	within time.Duration
	name   string
	means  string
}{
	{5 * time.Second, "light", "a few files, or one answer of the kernel"},
	{10 * time.Second, "moderate", "many small files, or what grows with what the host runs"},
	{20 * time.Second, "heavy", "reads what may be large; most of it once, later only what changed"},
}

func cost(k discovery.Kind) string {
	for _, c := range costs {
		if k.Timeout <= c.within {
			return c.name
		}
	}
	return costs[len(costs)-1].name
}

// trigger says when a kind is collected.
func (p *page) trigger() string {
	var when []string
	if p.watched {
		when = append(when, "when the kernel tells of a change")
	}
	if len(p.kind.After) > 0 {
		when = append(when, "after "+strings.Join(quoted(p.kind.After), " or ")+" changed")
	}
	return strings.Join(append(when, "every "+plain(p.kind.Interval)), "; ")
}

// plain is a duration without zeros: 15m, 1h.
func plain(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func quoted(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = "`" + n + "`"
	}
	return out
}

func (p *page) rights() string {
	if len(p.kind.Needs) == 0 {
		return "none"
	}
	var names []string
	for _, n := range p.kind.Needs {
		names = append(names, string(n))
	}
	return strings.Join(names, ", ")
}

func (p *page) leaves() string {
	switch p.extent {
	case residency.Whole:
		return "leaves the site"
	case residency.Part:
		return "leaves the site but for its fields of class topology"
	case residency.Nothing:
		return "stays in the site"
	}
	return "unknown"
}

func (p *page) markdown() string {
	var b strings.Builder
	k := p.kind
	fmt.Fprintf(&b, "# %s\n\n%s\n%s\n\n| | |\n|---|---|\n", k.Name, generated, p.intro)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "| %s | %s |\n", name, fmt.Sprintf(format, args...))
	}
	row("what", "%s", k.Doc)
	row("collected", "%s; with up to 10 %% more or less, and never in more than 1/20 of the time", p.trigger())
	row("cost", "%s: ended after %s", cost(k), plain(k.Timeout))
	row("rights", "%s", p.rights())
	row("residency", "%s, see [residency](../residency.md)", p.leaves())
	if k.Public {
		row("shared", "the same content of several hosts is kept once")
	}
	row("in the graph", "%s", p.inGraph())
	row("schema", "version %d, [%s.schema.json](%s.schema.json)", k.Version, k.Name, k.Name)
	row("limits", "%d facts of this kind for a host, %d MiB each", discovery.MaxInstances, discovery.MaxBody>>20)
	row("ask", "`assim-probe facts %s` on a host, `assim host facts HOST %s`, `assim changes --kind %s`", k.Name, k.Name, k.Name)
	for _, s := range sections {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", s, p.sections[s])
	}
	b.WriteString("\n## Fields\n\n| field | type | class | what it is |\n|---|---|---|---|\n")
	for _, f := range p.fields {
		doc := f.doc
		if f.Optional {
			doc = strings.TrimPrefix(strings.TrimSuffix(doc, ".")+"; left out where empty", "; ")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.Path, f.shape(), f.Class, cell(doc))
	}
	fmt.Fprintf(&b, "\n## Sample\n\nWhat the tests' fixture gives%s; lists are cut to %d items, texts to %d bytes.\n\n```json\n%s```\n",
		ofInstance(p.sample.instance), maxItems, maxText, p.sample.body)
	return b.String()
}

func (f *field) shape() string {
	if f.Shape == discovery.Items {
		return "list, one for each " + strings.Join(f.Key, ", ")
	}
	return string(f.Shape)
}

func ofInstance(instance string) string {
	if instance == "" {
		return ""
	}
	return ", instance `" + instance + "`"
}

// cell is a text in a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

func (p *page) inGraph() string {
	if !p.projected {
		return "nothing of it; facts, history and findings only"
	}
	var labels []string
	for label := range p.elements.labels {
		labels = append(labels, string(label))
	}
	slices.Sort(labels)
	return strings.Join(quoted(labels), ", ") + ", see [the graph](../graph.md)"
}
