// Command document writes docs/kinds.md, a page and a JSON Schema for each kind of
// fact under docs/kinds, and docs/graph.md; it is behind `make generate`. What they
// say is read from the kinds, the comments of their types, their README.md and the
// fixtures of their tests, and from the vocabulary of the graph.
//
// It runs in the project's folder, on Linux, where all collectors are built.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const folder = "docs/kinds"

func main() {
	if err := write(); err != nil {
		fmt.Fprintln(os.Stderr, "document:", err)
		os.Exit(1)
	}
}

func write() error {
	pages, err := readPages()
	if err != nil {
		return err
	}
	files := map[string]string{"docs/kinds.md": table(pages)}
	for i := range pages {
		p := &pages[i]
		files[filepath.Join(folder, p.kind.Name+".md")] = p.markdown()
		if files[filepath.Join(folder, p.kind.Name+".schema.json")], err = p.schema(); err != nil {
			return err
		}
	}
	if files["docs/graph.md"], err = graph(pages); err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("making the folder of pages: %w", err)
	}
	for name, text := range files {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			return fmt.Errorf("writing a page: %w", err)
		}
	}
	return removeOthers(files)
}

// removeOthers removes the pages of kinds that are no more.
func removeOthers(files map[string]string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("listing the pages: %w", err)
	}
	for _, entry := range entries {
		name := filepath.Join(folder, entry.Name())
		if _, written := files[name]; written || !strings.HasSuffix(name, ".md") && !strings.HasSuffix(name, ".schema.json") {
			continue
		}
		if err := os.Remove(name); err != nil {
			return fmt.Errorf("removing an old page: %w", err)
		}
	}
	return nil
}
