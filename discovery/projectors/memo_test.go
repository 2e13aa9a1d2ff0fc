package projectors_test

import (
	"reflect"
	"testing"

	"assimilation/cmdb"
	"assimilation/discovery"
	"assimilation/discovery/packages"
	"assimilation/discovery/projectors"
	"assimilation/discovery/users"
)

// Together, what a memo says of all hosts is what their projectors say.
func TestMemoSaysWhatProjectorsSay(t *testing.T) {
	set := packages.Facts{Manager: "dpkg"}
	instance := packages.Instance("bash")
	for _, name := range []string{"bash", "openssl", "libc6", "dash", "sudo"} {
		if packages.Instance(name) == instance {
			set.Packages = append(set.Packages, packages.Package{Name: name, Version: "1", Arch: "amd64"})
		}
	}
	shared, err := discovery.NewFact(packages.Kind, instance, set)
	if err != nil {
		t.Fatal(err)
	}
	own, err := discovery.NewFact(users.Kind, "", users.Facts{Users: []users.User{{Name: "root", Login: true}}, Groups: []users.Group{}})
	if err != nil {
		t.Fatal(err)
	}
	said := func(project func(discovery.HostRef, discovery.Fact) (cmdb.Elements, error)) (map[cmdb.Ref]map[string]any, map[cmdb.EdgeRef]map[string]any, int) {
		vertices, edges, told := map[cmdb.Ref]map[string]any{}, map[cmdb.EdgeRef]map[string]any{}, 0
		for _, id := range []string{"a", "b", "c"} {
			host := discovery.HostRef{ID: id, HostRealm: cmdb.HostRealm(id), SiteRealm: cmdb.SiteRealm("s")}
			for _, f := range []discovery.Fact{shared, own} {
				e, err := project(host, f)
				if err != nil {
					t.Fatal(err)
				}
				told += len(e.Vertices) + len(e.Edges)
				for _, v := range e.Vertices {
					vertices[v.Ref] = v.Props
				}
				for _, edge := range e.Edges {
					edges[edge.Ref()] = edge.Props
				}
			}
		}
		return vertices, edges, told
	}
	wantV, wantE, all := said(func(h discovery.HostRef, f discovery.Fact) (cmdb.Elements, error) {
		p, _ := projectors.ByKind(f.Kind)
		return p.Project(h, f)
	})
	var memo projectors.Memo
	gotV, gotE, told := said(memo.Project)
	if !reflect.DeepEqual(gotV, wantV) || !reflect.DeepEqual(gotE, wantE) {
		t.Errorf("it says\n%v\n%v\nwant\n%v\n%v", gotV, gotE, wantV, wantE)
	}
	if told >= all {
		t.Errorf("%d elements were told, no fewer than %d", told, all)
	}
	other := discovery.HostRef{ID: "d"}
	if _, ok := memo.Known(other, users.Kind.Name, "", own.Hash); ok {
		t.Error("users are not the same for all hosts")
	}
}
