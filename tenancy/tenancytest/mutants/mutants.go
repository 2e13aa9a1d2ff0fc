// Package mutants breaks the guards in the service's code, one by one. It finds them
// in the source: what every route needs, the table of rights, conditions that lead to
// a refusal in the files of guards, and conditions on the tenant or the person in SQL
// that no row security stands behind.
//
// The result is an overlay for go build -overlay: the same program with every mutant
// asleep in it, see package active.
package mutants

import (
	"cmp"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Mutant is a guard that can be broken.
type Mutant struct {
	Sort string
	Name string // unique
}

// The sorts of mutants.
const (
	Route     = "route asks less"
	Right     = "entry of the table of rights"
	Condition = "refusal that does not happen"
	Answer    = "yes to every question"
	Filter    = "condition in SQL on whose it is"
)

// guards are the files whose conditions decide who may come, and who may do what.
var guards = []string{
	"tenancy/rights.go", "tenancy/role.go", "tenancy/token.go",
	"saas/internal/web/actor.go", "saas/internal/web/auth.go", "saas/internal/web/permit.go", "saas/internal/web/page.go", "saas/internal/web/api.go", "saas/internal/web/stream.go",
	"saas/internal/accounts/credentials.go", "saas/internal/accounts/credentials_api.go", "saas/internal/accounts/store.go", "saas/internal/accounts/tenants.go",
	"saas/internal/members/members.go", "saas/internal/members/places.go", "saas/internal/members/invitations.go",
	"saas/internal/deletion/api.go", "saas/internal/deletion/deletion.go", "saas/internal/topology/ask.go",
}

// door is how code reaches the tables of people, which have no row security.
const door = ".Global("

// edit replaces source between two offsets.
type edit struct {
	from, to int
	text     string
}

type file struct {
	path   string
	source []byte
	set    *token.FileSet
	tree   *ast.File
	edits  []edit
	found  []Mutant
}

// Write makes the overlay for the module at root: changed sources below dir, and
// overlay.json and mutants.json beside them. It returns the mutants.
func Write(root, dir string) ([]Mutant, error) {
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	var all []Mutant
	paths, err := sources(root)
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		f, err := mutate(root, path)
		if err != nil {
			return nil, fmt.Errorf("mutating %s: %w", path, err)
		}
		if len(f.found) == 0 {
			continue
		}
		to := filepath.Join(dir, strings.ReplaceAll(path, "/", "__"))
		if err := os.WriteFile(to, f.changed(), 0o644); err != nil {
			return nil, err
		}
		overlay.Replace[filepath.Join(root, path)] = to
		all = append(all, f.found...)
	}
	for name, v := range map[string]any{"overlay.json": overlay, "mutants.json": all} {
		text, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// sources are the files in which guards are looked for.
func sources(root string) (all []string, err error) {
	err = filepath.WalkDir(filepath.Join(root, "saas", "internal"), func(path string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") && !strings.HasSuffix(path, "_templ.go") {
			relative, broken := filepath.Rel(root, path)
			all, err = append(all, filepath.ToSlash(relative)), broken
		}
		return err
	})
	for _, g := range guards {
		if strings.HasPrefix(g, "tenancy/") {
			all = append(all, g)
		}
	}
	return all, err
}

func mutate(root, path string) (*file, error) {
	source, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		return nil, err
	}
	f := &file{path: path, source: source, set: token.NewFileSet()}
	if f.tree, err = parser.ParseFile(f.set, path, source, parser.ParseComments); err != nil {
		return nil, err
	}
	global, err := usesDoor(filepath.Join(root, filepath.Dir(path)))
	if err != nil {
		return nil, err
	}
	if path == "tenancy/rights.go" {
		f.rights()
	}
	f.routes()
	if slices.Contains(guards, path) {
		f.conditions()
	}
	if global {
		f.filters(ofAnybody)
	} else { // row security knows tenants, and nobody of them
		f.filters(ofPerson)
	}
	return f, nil
}

// usesDoor reports whether the package in a folder reaches the tables of people.
func usesDoor(folder string) (bool, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return false, err
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return false, err
		}
		if !strings.HasSuffix(name, "_test.go") && strings.Contains(string(text), door) {
			return true, nil
		}
	}
	return false, nil
}

func (f *file) offset(p token.Pos) int { return f.set.Position(p).Offset }

func (f *file) text(n ast.Node) string { return string(f.source[f.offset(n.Pos()):f.offset(n.End())]) }

// mutant notes one and returns its name, quoted for Go.
func (f *file) mutant(sort string, at ast.Node, what string) string {
	name := fmt.Sprintf("%s:%d %s", f.path, f.set.Position(at.Pos()).Line, strings.Join(strings.Fields(what), " "))
	for n := 2; slices.Contains(f.found, Mutant{sort, name}); n++ {
		name = fmt.Sprintf("%s (%d)", strings.TrimSuffix(name, fmt.Sprintf(" (%d)", n-1)), n)
	}
	f.found = append(f.found, Mutant{sort, name})
	return strconv.Quote(name)
}

// replace puts text in the place of what is between two positions.
func (f *file) replace(from, to token.Pos, text string) {
	f.edits = append(f.edits, edit{f.offset(from), f.offset(to), text})
}

// around puts text before and after a node.
func (f *file) around(n ast.Node, before, after string) {
	f.edits = append(f.edits, edit{f.offset(n.Pos()), f.offset(n.Pos()), before}, edit{f.offset(n.End()), f.offset(n.End()), after})
}

// changed is the source with all edits.
func (f *file) changed() []byte {
	// Edits at one place stay in the order in which they were made: what is inside
	// comes first.
	slices.SortStableFunc(f.edits, func(a, b edit) int { return cmp.Compare(a.from, b.from) })
	var out []byte
	at := 0
	for _, e := range append(f.edits, edit{len(f.source), len(f.source), ""}) {
		out = append(out, f.source[at:e.from]...)
		out = append(out, e.text...)
		at = max(e.to, e.from)
	}
	end := f.offset(f.tree.Name.End())
	return slices.Concat(out[:end], []byte("\n\nimport mutant \"assimilation/tenancy/tenancytest/mutants/active\"\n"), out[end:])
}
