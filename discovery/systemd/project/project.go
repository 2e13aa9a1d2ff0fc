// Package project turns facts of the kind "systemd" into graph elements.
package project

import (
	"strings"

	"assimilation/cmdb"
	"assimilation/discovery"
	"assimilation/discovery/internal/elements"
	"assimilation/discovery/systemd"
)

// Most bounds how many units of one sort of a host stand in the graph. The facts
// have the others.
const Most = 24

// Projector projects the kind "systemd": the services that run, those that should,
// and timers of the host's own. What every system runs for itself and nobody uses,
// and what could be started, stay in the fact.
type Projector struct{}

// Kind is the kind that it projects.
func (Projector) Kind() discovery.Kind { return systemd.Kind }

// Project implements discovery.Projector.
func (Projector) Project(host discovery.HostRef, fact discovery.Fact) (cmdb.Elements, error) {
	body, err := elements.Read[systemd.Facts](systemd.Kind, fact)
	if err != nil {
		return cmdb.Elements{}, err
	}
	var e cmdb.Elements
	add := units(&e, host)
	switch fact.Instance {
	case systemd.Running:
		// Those that should run first: there is little room.
		for _, name := range body.Stopped {
			add(name, map[string]any{"state": "stopped"})
		}
		for _, name := range body.Running {
			if !everywhere(name) {
				add(name, map[string]any{"state": "running"})
			}
		}
	case "timer":
		for _, u := range body.Units {
			if u.State == systemd.Enabled && (u.Path != "" || len(u.DropIns) > 0) {
				props := map[string]any{"state": u.State}
				if len(u.Triggers) > 0 {
					props["triggers"] = u.Triggers
				}
				add(u.Name, props)
			}
		}
	}
	return e, nil
}

// units returns what adds a unit of the host, each once, up to Most.
func units(e *cmdb.Elements, host discovery.HostRef) func(name string, props map[string]any) {
	seen := map[string]bool{}
	return func(name string, props map[string]any) {
		unit := elements.Unit(host, name)
		if name == "" || seen[name] || len(seen) == Most || !elements.Fits(unit) {
			return
		}
		seen[name] = true
		props["name"] = name
		e.AddVertex(cmdb.Unit, unit.Key, props)
		e.AddEdge(cmdb.HasUnit, elements.Host(host), unit, nil)
	}
}

// everywhere reports whether a service runs on every host of systemd, for the
// system itself.
func everywhere(name string) bool {
	for _, prefix := range []string{"systemd-journald.", "systemd-udevd.", "systemd-logind.", "dbus.", "dbus-broker.", "getty@", "serial-getty@", "user@", "polkit."} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
