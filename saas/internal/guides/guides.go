// Package guides shows the documentation within the console: the same files that
// lie beside the sources, without a request to any other host.
package guides

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

// Guide is one document.
type Guide struct {
	ID    string // its file without .md, a folder's slash as a dash
	Title string
	Group string
	HTML  string
	text  string // in lower case, to be searched
}

// groups are the guides by what people look for; what is in none is of the last.
var groups = []struct {
	name  string
	files []string
}{
	{"Begin", []string{"install", "console", "accounts", "write-a-query", "queries", "cypher", "scripts", "notify", "opentelemetry", "webhooks", "api"}},
	{"Understand", []string{"verdicts", "graph", "kinds", "history", "residency", "within", "cluster", "architecture"}},
}

const (
	kinds     = "Kinds of facts"
	decisions = "Decisions"
	others    = "Run and build it"
)

// order is that of the groups on the page.
var order = []string{"Begin", "Understand", others, kinds, decisions}

// Read reads all guides of a folder, by group and title. Markup of other languages
// within them is not shown.
func Read(files fs.FS) ([]Guide, error) {
	var names []string
	for _, pattern := range []string{"*.md", "*/*.md"} {
		found, err := fs.Glob(files, pattern)
		if err != nil {
			return nil, err
		}
		names = append(names, found...)
	}
	markdown := goldmark.New(
		// Its own way is a style attribute, which no page of ours may have.
		goldmark.WithExtensions(extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute)), extension.Linkify),
		goldmark.WithParserOptions(parser.WithAutoHeadingID()))
	var all []Guide
	for _, name := range names {
		source, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("reading the guide %s: %w", name, err)
		}
		tree := markdown.Parser().Parse(text.NewReader(source))
		g := Guide{ID: idOf(name), Group: groupOf(name), text: strings.ToLower(string(source))}
		if err := settle(tree, source, name, names, &g); err != nil {
			return nil, err
		}
		var html bytes.Buffer
		if err := markdown.Renderer().Render(&html, source, tree); err != nil {
			return nil, fmt.Errorf("rendering the guide %s: %w", name, err)
		}
		g.HTML = html.String()
		all = append(all, g)
	}
	slices.SortStableFunc(all, func(a, b Guide) int {
		return cmp.Or(cmp.Compare(slices.Index(order, a.Group), slices.Index(order, b.Group)), cmp.Compare(place(a), place(b)), strings.Compare(a.ID, b.ID))
	})
	return all, nil
}

func idOf(name string) string {
	return strings.ReplaceAll(strings.TrimSuffix(name, ".md"), "/", "-")
}

func groupOf(name string) string {
	switch path.Dir(name) {
	case "kinds":
		return kinds
	case "adr":
		return decisions
	}
	for _, g := range groups {
		if slices.Contains(g.files, strings.TrimSuffix(name, ".md")) {
			return g.name
		}
	}
	return others
}

// place is where a guide stands within its group.
func place(g Guide) int {
	for _, of := range groups {
		if i := slices.Index(of.files, g.ID); i >= 0 {
			return i
		}
	}
	return 0
}

// settle takes the title from the document, and leads links between documents
// from page to page; a link to a file that is no guide is its text.
func settle(tree ast.Node, source []byte, name string, names []string, g *Guide) error {
	var title, strange []ast.Node
	err := ast.Walk(tree, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			if n.Level == 1 && g.Title == "" {
				g.Title = plain(n, source)
				title = append(title, n)
			}
		case *ast.Image:
			strange = append(strange, n)
		case *ast.Link:
			to := string(n.Destination)
			if strings.Contains(to, "://") || strings.HasPrefix(to, "#") {
				break
			}
			file, anchor, found := strings.Cut(to, "#")
			if file = path.Join(path.Dir(name), file); !slices.Contains(names, file) {
				strange = append(strange, n)
				break
			}
			if to = "/guides/" + idOf(file); found {
				to += "#" + anchor
			}
			n.Destination = []byte(to)
		}
		return ast.WalkContinue, nil
	})
	for _, n := range title { // the page has it
		n.Parent().RemoveChild(n.Parent(), n)
	}
	for _, n := range strange {
		for child := n.FirstChild(); child != nil; child = n.FirstChild() {
			n.Parent().InsertBefore(n.Parent(), n, child)
		}
		n.Parent().RemoveChild(n.Parent(), n)
	}
	if g.Title == "" {
		g.Title = g.ID
	}
	return err
}

// plain is the text of a node without its markup.
func plain(n ast.Node, source []byte) string {
	var b strings.Builder
	for child := n.FirstChild(); child != nil; child = child.NextSibling() {
		if t, ok := child.(*ast.Text); ok {
			b.Write(t.Segment.Value(source))
			continue
		}
		b.WriteString(plain(child, source))
	}
	return b.String()
}
