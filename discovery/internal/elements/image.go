package elements

import "assimilation/cmdb"

// OfImage adds the image that a child is made of, and the edge to it. An image is
// one by the hash of its configuration, whatever it is called; where only its name
// is known, by that.
func OfImage(e *cmdb.Elements, child cmdb.Ref, id, name string, digests []string) {
	key, props := cmdb.JoinKey(id), map[string]any{"id": id} // joined, so that no id is a name's key
	if id == "" {
		key, props = cmdb.JoinKey("name", name), map[string]any{"name": name}
	}
	if id == "" && name == "" {
		return
	}
	here := map[string]any{}
	Text(here, "name", name)
	if len(digests) > 0 {
		here["digests"] = digests
	}
	e.AddEdge(cmdb.OfImage, child, e.AddVertex(cmdb.Image, key, props), here)
}
