// Package project turns facts of the kind "users" into graph elements.
package project

import (
	"cmp"
	"slices"

	"assimilation/cmdb"
	"assimilation/discovery"
	"assimilation/discovery/internal/elements"
	"assimilation/discovery/users"
)

// Bounds of accounts, and groups with members among them, of a host in the graph.
// The fact has the others.
const (
	Most       = 16
	MostGroups = 8
)

// Projector projects the kind "users": the accounts that can log in. The others
// are the programs', and stay in the fact.
type Projector struct{}

// Kind is the kind that it projects.
func (Projector) Kind() discovery.Kind { return users.Kind }

// Project implements discovery.Projector.
func (Projector) Project(host discovery.HostRef, fact discovery.Fact) (cmdb.Elements, error) {
	body, err := elements.Read[users.Facts](users.Kind, fact)
	if err != nil {
		return cmdb.Elements{}, err
	}
	var e cmdb.Elements
	seen := map[string]bool{}
	byUID := slices.Clone(body.Users) // the administrators first
	slices.SortStableFunc(byUID, func(a, b users.User) int { return cmp.Compare(a.UID, b.UID) })
	for _, u := range byUID {
		if !u.Login || u.Name == "" || seen[u.Name] || len(seen) == Most {
			continue
		}
		key := host.ID + "/" + u.Name
		if len(key) > cmdb.MaxKey {
			continue
		}
		seen[u.Name] = true
		props := map[string]any{"name": u.Name, "uid": u.UID}
		elements.Text(props, "shell", u.Shell)
		elements.Text(props, "password", u.Password)
		if groups := groupsOf(u, body.Groups); len(groups) > 0 {
			props["groups"] = groups
		}
		e.AddEdge(cmdb.HasUser, elements.Host(host), e.AddVertex(cmdb.User, key, props), nil)
	}
	projectGroups(&e, host, body.Groups, seen)
	return e, nil
}

// projectGroups adds the groups that list one of the accounts.
func projectGroups(e *cmdb.Elements, host discovery.HostRef, groups []users.Group, accounts map[string]bool) {
	seen := map[string]bool{}
	for _, g := range groups {
		ref := cmdb.Ref{Label: cmdb.Group, Key: host.ID + "/group:" + g.Name}
		if g.Name == "" || seen[g.Name] || len(seen) == MostGroups || len(ref.Key) > cmdb.MaxKey {
			continue
		}
		for _, member := range g.Members {
			if !accounts[member] {
				continue
			}
			if !seen[g.Name] {
				seen[g.Name] = true
				e.AddVertex(cmdb.Group, ref.Key, map[string]any{"name": g.Name, "gid": g.GID})
				e.AddEdge(cmdb.HasGroup, elements.Host(host), ref, nil)
			}
			e.AddEdge(cmdb.MemberOf, cmdb.Ref{Label: cmdb.User, Key: host.ID + "/" + member}, ref, nil)
		}
	}
}

// groupsOf names the groups of an account, its own among them, sorted as the
// groups are.
func groupsOf(u users.User, groups []users.Group) []string {
	var names []string
	for _, g := range groups {
		if g.GID == u.GID || slices.Contains(g.Members, u.Name) {
			names = append(names, g.Name)
		}
	}
	return names
}
