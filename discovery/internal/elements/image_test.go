package elements_test

import (
	"testing"

	"assimilation/cmdb"
	"assimilation/discovery/internal/elements"
)

// An id that a host makes up is not the image that others know by its name.
func TestNoIDIsAName(t *testing.T) {
	image := func(id, name string) cmdb.Vertex {
		var e cmdb.Elements
		elements.OfImage(&e, cmdb.Ref{Label: cmdb.Child, Key: "h/child:c"}, id, name, nil)
		return e.Vertices[0]
	}
	named := image("", "postgres:16")
	if forged := image(named.Key, ""); forged.Ref == named.Ref {
		t.Errorf("%v replaces %v", forged.Props, named.Props)
	}
	if key := image("sha256:aa", "postgres:16").Key; key != "sha256:aa" {
		t.Errorf("the key of an image is %q", key)
	}
}
