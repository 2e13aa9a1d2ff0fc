// Package project turns facts of script agents, kinds "x-<name>", into graph
// elements.
package project

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"assimilation/cmdb"
	"assimilation/discovery"
	"assimilation/discovery/internal/elements"
)

// Bounds of an object's properties. The fact has the others.
const (
	maxProperties = 32
	maxName       = 63  // bytes
	maxText       = 256 // bytes
)

// reserved are the properties that an object has from us.
var reserved = []string{"key", "label", "kind"}

// Projector projects the fact of one script: an Object, whose properties are the
// scalars of the fact's outermost object, those first in the order of their names.
type Projector struct{ Of string } // the kind

// Kind is the kind that it projects.
func (p Projector) Kind() discovery.Kind { return discovery.Kind{Name: p.Of, Version: 1} }

// Project implements discovery.Projector.
func (p Projector) Project(host discovery.HostRef, fact discovery.Fact) (cmdb.Elements, error) {
	if fact.Version != p.Kind().Version {
		return cmdb.Elements{}, fmt.Errorf("fact %s has schema version %d, known is %d", fact.Kind, fact.Version, p.Kind().Version)
	}
	decoder := json.NewDecoder(bytes.NewReader(fact.Body))
	decoder.UseNumber()
	var body map[string]any
	if err := decoder.Decode(&body); err != nil {
		return cmdb.Elements{}, fmt.Errorf("fact %s: %w", fact.Kind, err)
	}
	key := host.ID + "/" + fact.Kind
	if fact.Instance != "" {
		key += "/" + fact.Instance
	}
	var e cmdb.Elements
	e.AddEdge(cmdb.HasObject, elements.Host(host), e.AddVertex(cmdb.Object, key, properties(fact.Kind, body)), nil)
	return e, nil
}

func properties(kind string, body map[string]any) map[string]any {
	names := make([]string, 0, len(body))
	for name := range body {
		names = append(names, name)
	}
	slices.Sort(names)
	props := map[string]any{"kind": kind}
	for _, name := range names {
		property := propertyName(name)
		if _, taken := props[property]; taken || property == "" || len(props) > maxProperties {
			continue
		}
		switch v := body[name].(type) {
		case string:
			props[property] = discovery.Clean(v, maxText)
		case bool:
			props[property] = v
		case json.Number:
			if n, err := v.Int64(); err == nil {
				props[property] = n
			}
		}
	}
	return props
}

// propertyName is a name as questions can spell it without quoting, "" for one
// that cannot be.
func propertyName(name string) string {
	name = strings.ReplaceAll(name, "-", "_")
	if len(name) > maxName || slices.Contains(reserved, name) || name == "" || name[0] >= '0' && name[0] <= '9' ||
		strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" {
		return ""
	}
	return name
}
