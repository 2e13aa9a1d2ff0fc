package archtest

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	maxLines     = 800 // of a file; most are far smaller
	maxMainLines = 40  // a main.go only wires
)

// source is one parsed Go file.
type source struct {
	pkg       pkg
	path      string // in this module
	test      bool
	generated bool
	lines     int
	file      *ast.File
	positions *token.FileSet
}

func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	for _, p := range listPackages(t) {
		for _, name := range slices.Concat(p.GoFiles, p.TestGoFiles, p.XTestGoFiles) {
			text, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			positions := token.NewFileSet()
			file, err := parser.ParseFile(positions, filepath.Join(p.local(), name), text, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, source{
				pkg: p, path: filepath.Join(p.local(), name), test: strings.HasSuffix(name, "_test.go"),
				generated: ast.IsGenerated(file), lines: bytes.Count(text, []byte("\n")), file: file, positions: positions,
			})
		}
	}
	return all
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	for _, p := range listPackages(t) {
		if p.Doc == "" && len(p.GoFiles) > 0 {
			t.Errorf("%s has no package comment", p.local())
		}
		if slices.Contains(forbiddenNames, p.Name) {
			t.Errorf("%s: the name %q does not say what the package is for", p.local(), p.Name)
		}
	}
}

func TestFilesStaySmall(t *testing.T) {
	for _, s := range sources(t) {
		if !s.generated && !s.test && s.lines > maxLines {
			t.Errorf("%s has %d lines, more than %d: split it by idea", s.path, s.lines, maxLines)
		}
		if s.pkg.Name == "main" && filepath.Base(s.path) == "main.go" && strings.HasPrefix(s.path, "cmd/") && s.lines > maxMainLines {
			t.Errorf("%s has %d lines, more than %d: a main only wires", s.path, s.lines, maxMainLines)
		}
	}
}

func TestNothingRunsBeforeMain(t *testing.T) {
	for _, s := range sources(t) {
		for _, declaration := range s.file.Decls {
			f, ok := declaration.(*ast.FuncDecl)
			if ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s: func init: say it where it is used; registries are explicit lists", s.positions.Position(f.Pos()))
			}
		}
	}
}

// clockReaders are the functions of package time that read or wait for a clock.
var clockReaders = []string{"Now", "Since", "Until", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker", "Sleep"}

func TestPurePackagesReadNoClock(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || !matchesAny(clockFree, s.pkg.local()) {
			continue
		}
		for _, found := range clockReads(s.file) {
			t.Errorf("%s reads the clock: time comes in as an argument", s.positions.Position(found))
		}
	}
}

// clockReads returns where a file names one of clockReaders.
func clockReads(file *ast.File) []token.Pos {
	var found []token.Pos
	ast.Inspect(file, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := selector.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clockReaders, selector.Sel.Name) {
			found = append(found, selector.Pos())
		}
		return true
	})
	return found
}

func TestClockReadsAreFound(t *testing.T) {
	for body, want := range map[string]int{
		"_ = time.Now()":          1,
		"f := time.Now; _ = f":    1,
		"<-time.After(1)":         1,
		"_ = at.Add(time.Second)": 0,
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\nfunc f() { "+body+" }", 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(clockReads(file)); got != want {
			t.Errorf("%q: %d clock reads found, want %d", body, got, want)
		}
	}
}
