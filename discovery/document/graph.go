package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"assimilation/cmdb"
	"assimilation/discovery"
	"assimilation/discovery/projectors"
)

// elements are the labels, edge types and their properties that facts of a kind
// give, by the type of value.
type elements struct {
	labels map[cmdb.Label]map[string]string
	edges  map[cmdb.EdgeType]map[string]string
}

// project tells the fixtures of a kind's projector to it; false: it has none.
func project(kind string) (elements, bool, error) {
	found := elements{map[cmdb.Label]map[string]string{}, map[cmdb.EdgeType]map[string]string{}}
	fixtures := kind
	if discovery.IsScript(kind) {
		fixtures = "scripts"
	}
	p, ok := projectors.ByKind(kind)
	if !ok {
		return found, false, nil
	}
	files, err := filepath.Glob(filepath.Join("discovery", fixtures, "project", "testdata", "*.json"))
	if err != nil || len(files) == 0 {
		return found, false, fmt.Errorf("the projector of kind %s has no fixtures: %w", kind, err)
	}
	host := discovery.HostRef{ID: "11111111-2222-4333-8444-555555555555"}
	host.HostRealm, host.SiteRealm = cmdb.HostRealm(host.ID), cmdb.SiteRealm("site")
	for _, file := range files {
		fact, err := fixture(p.Kind(), file)
		if err != nil {
			return found, false, err
		}
		made, err := p.Project(host, fact)
		if err != nil {
			return found, false, fmt.Errorf("projecting %s: %w", file, err)
		}
		for _, v := range made.Vertices {
			found.labels[v.Label] = with(found.labels[v.Label], v.Props)
		}
		for _, e := range made.Edges {
			found.edges[e.Type] = with(found.edges[e.Type], e.Props)
		}
	}
	return found, true, nil
}

// fixture reads a body, which may be indented; the part of the file's name after
// "@" is the instance.
func fixture(kind discovery.Kind, file string) (discovery.Fact, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return discovery.Fact{}, err
	}
	var body any
	if err := json.Unmarshal(text, &body); err != nil {
		return discovery.Fact{}, fmt.Errorf("reading %s: %w", file, err)
	}
	canonical, err := json.Marshal(body)
	_, instance, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".json"), "@")
	return discovery.Fact{Kind: kind.Name, Instance: instance, Version: kind.Version, Body: canonical, Hash: discovery.HashBody(kind.Name, kind.Version, canonical)}, err
}

func with(known map[string]string, props map[string]any) map[string]string {
	if known == nil {
		known = map[string]string{}
	}
	for name, value := range props {
		switch value.(type) {
		case bool:
			known[name] = "flag"
		case int64:
			known[name] = "number"
		case []string, []int64:
			known[name] = "list"
		default:
			known[name] = "text"
		}
	}
	return known
}

// ofHost are the properties of a Host, which ingest makes of what the relay says.
var ofHost = map[string]string{"name": "text", "state": "text", "site": "text", "agent_version": "text", "os": "text", "arch": "text", "labels": "list"}

// graph is docs/graph.md.
func graph(pages []page) (string, error) {
	labels := map[cmdb.Label]map[string]string{cmdb.Host: ofHost}
	edges := map[cmdb.EdgeType]map[string]string{}
	kindsOf := map[string][]string{}
	for i := range pages {
		for label, props := range pages[i].elements.labels {
			labels[label] = merged(labels[label], props)
			kindsOf[string(label)] = append(kindsOf[string(label)], pages[i].kind.Name)
		}
		for edge, props := range pages[i].elements.edges {
			edges[edge] = merged(edges[edge], props)
			kindsOf[string(edge)] = append(kindsOf[string(edge)], pages[i].kind.Name)
		}
	}
	labels[cmdb.Object] = map[string]string{"kind": "text"}
	kindsOf[string(cmdb.Object)], kindsOf[string(cmdb.HasObject)] = []string{discovery.ScriptPrefix + "NAME"}, []string{discovery.ScriptPrefix + "NAME"}
	var b strings.Builder
	b.WriteString("# The graph\n\n" + generated + `
One graph per tenant. Ask it with ` + "`assim graph query`" + ` ([cypher.md](cypher.md)), with ` + "`assim query`" + ` ([queries.md](queries.md); to write one:
[write-a-query.md](write-a-query.md)), or see it with ` + "`assim graph draw`" + `. It is made of facts ([kinds.md](kinds.md)); ` + "`assim-saas rebuild`" + `
makes it anew from them.

Boxes with round corners are shared: hosts that speak of the same thing speak of one vertex, which lives while an edge points at it.
The others belong to one host.

` + "```mermaid\nflowchart LR\n")
	for _, v := range cmdb.Vertices {
		open, end := "[", "]"
		if v.Shared {
			open, end = "([", "])"
		}
		fmt.Fprintf(&b, "    %s%s%s%s\n", v.Label, open, v.Label, end)
	}
	for _, e := range cmdb.Edges {
		fmt.Fprintf(&b, "    %s -->|%s| %s\n", e.From, e.Type, e.To)
	}
	b.WriteString("```\n\n## Labels\n\nEvery vertex has a property `key`, its natural key; those in bold are indexed, too. An `Object` has the fields of its script beside.\n\n" +
		"| label | what | key | properties | of kinds |\n|---|---|---|---|---|\n")
	for _, v := range cmdb.Vertices {
		sharing := "host's own"
		if v.Shared {
			sharing = "shared"
		}
		of := strings.Join(kindsOf[string(v.Label)], ", ")
		if v.Label == cmdb.Host {
			of = "what the relay says of it"
		}
		fmt.Fprintf(&b, "| %s | %s; %s | %s | %s | %s |\n", v.Label, cell(v.Doc), sharing, cell(v.Key), properties(labels[v.Label], v.Index), of)
	}
	b.WriteString("\n## Relationships\n\n| type | from | to | what | properties | of kinds |\n|---|---|---|---|---|---|\n")
	for _, e := range cmdb.Edges {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", e.Type, e.From, e.To, cell(e.Doc), properties(edges[e.Type], nil), strings.Join(kindsOf[string(e.Type)], ", "))
	}
	return b.String(), nil
}

func merged(a, b map[string]string) map[string]string {
	all := map[string]string{}
	maps.Copy(all, a)
	maps.Copy(all, b)
	return all
}

// properties lists names with what is not text.
func properties(props map[string]string, indexed []string) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(props)) {
		text := "`" + name + "`"
		if slices.Contains(indexed, name) {
			text = "**" + text + "**"
		}
		if props[name] != "text" {
			text += " " + props[name]
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}
