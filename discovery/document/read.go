package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"assimilation/discovery"
	"assimilation/discovery/collectors"
	"assimilation/discovery/kinds"
	"assimilation/discovery/residency"
)

// page is what is known of one kind.
type page struct {
	kind      discovery.Kind
	intro     string            // of its README.md
	sections  map[string]string // of its README.md, by heading
	watched   bool              // the kernel tells of changes
	extent    residency.Extent
	fields    []field
	sample    sample
	elements  elements // that its projector makes of the fixtures
	projected bool
}

// sections that every README.md has, see discoverytest.
var sections = []string{"Source", "Rights", "Cost"}

func readPages() ([]page, error) {
	watched := map[string]bool{}
	collected := map[string]bool{}
	for _, c := range collectors.All(collectors.Options{}) {
		_, watched[c.Kind().Name] = c.(discovery.Watcher)
		collected[c.Kind().Name] = true
	}
	all := kinds.All()
	rules, err := residency.New(all)
	if err != nil {
		return nil, err
	}
	comments := comments{}
	var pages []page
	for _, kind := range all {
		if !collected[kind.Name] {
			return nil, fmt.Errorf("kind %s has no collector on this system", kind.Name)
		}
		p := page{kind: kind, watched: watched[kind.Name], extent: rules.Extent(kind.Name, kind.Version)}
		if err := p.readReadme(); err != nil {
			return nil, err
		}
		if p.fields, err = describe(kind, comments); err != nil {
			return nil, err
		}
		if p.sample, err = readSample(kind.Name); err != nil {
			return nil, err
		}
		if p.elements, p.projected, err = project(kind.Name); err != nil {
			return nil, err
		}
		pages = append(pages, p)
	}
	return pages, nil
}

// readReadme splits README.md into what stands before the first heading of the
// second level, and the sections.
func (p *page) readReadme() error {
	name := filepath.Join("discovery", p.kind.Name, "README.md")
	text, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("reading what a kind is: %w", err)
	}
	parts := strings.Split("\n"+string(text), "\n## ")
	_, intro, _ := strings.Cut(strings.TrimSpace(parts[0]), "\n")
	p.intro = linked(strings.TrimSpace(intro))
	p.sections = map[string]string{}
	for _, part := range parts[1:] {
		heading, body, _ := strings.Cut(part, "\n")
		p.sections[heading] = linked(strings.TrimSpace(body))
	}
	for _, s := range sections {
		if p.sections[s] == "" {
			return fmt.Errorf("%s says nothing under %q", name, s)
		}
	}
	return nil
}

// linked makes links from a kind's folder links from docs/kinds.
func linked(text string) string { return strings.ReplaceAll(text, "](../../docs/", "](../") }
