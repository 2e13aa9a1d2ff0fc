// Package project turns facts of the kind "packages" into graph elements.
package project

import (
	"fmt"

	"assimilation/cmdb"
	"assimilation/discovery"
	"assimilation/discovery/internal/elements"
	"assimilation/discovery/packages"
)

// Projector projects the kind "packages": one set per instance, keyed by its
// content, so that hosts with the same packages share set and packages. An empty
// set is nothing: being the same in every instance, it would belong to several
// facts of one host.
type Projector struct{}

// Kind is the kind that it projects.
func (Projector) Kind() discovery.Kind { return packages.Kind }

// Project implements discovery.Projector.
func (Projector) Project(host discovery.HostRef, fact discovery.Fact) (cmdb.Elements, error) {
	body, err := elements.Read[packages.Facts](packages.Kind, fact)
	if err != nil || len(body.Packages) == 0 {
		return cmdb.Elements{}, err
	}
	var e cmdb.Elements
	set := e.AddVertex(cmdb.PackageSet, fact.Hash.String(), map[string]any{
		"manager": body.Manager, "instance": fact.Instance, "count": int64(len(body.Packages)),
	})
	e.AddEdge(cmdb.HasPackages, elements.Host(host), set, nil)
	for _, p := range body.Packages {
		if packages.Instance(p.Name) != fact.Instance {
			return cmdb.Elements{}, fmt.Errorf("package %.60q stands in instance %q of the packages, it belongs in %q",
				p.Name, fact.Instance, packages.Instance(p.Name))
		}
		vertex := e.AddVertex(cmdb.Package, cmdb.JoinKey(body.Manager, p.Name, p.Version, p.Arch), map[string]any{
			"manager": body.Manager, "name": p.Name, "version": p.Version, "arch": p.Arch,
		})
		e.AddEdge(cmdb.Contains, set, vertex, nil)
	}
	return e, nil
}
