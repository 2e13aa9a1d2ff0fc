package collect

import (
	"cmp"
	"io/fs"
	"os"

	"assimilation/discovery/internal/conffile"
	"assimilation/discovery/internal/order"
	kind "assimilation/discovery/virtual"
)

// maxGuests bounds the fact.
const maxGuests = 2048

// places are the directories whose changes are changes of the fact.
var places = []string{
	"/etc/libvirt/qemu/", "/etc/libvirt/qemu/autostart/", "/run/libvirt/qemu/", "/etc/libvirt/lxc/", "/run/libvirt/lxc/",
	"/etc/libvirt/libxl/", "/run/libvirt/libxl/",
}

// New returns a collector of the system whose files are under root; path is where
// root stands in the file system.
func New(root fs.FS, path string) conffile.Watching {
	return conffile.Watched(conffile.Source{Kind: kind.Kind, Places: places, Body: body}, root, path)
}

// Local returns the collector of this host.
func Local() conffile.Watching { return New(os.DirFS("/"), "") }

// guests is what one collection has found.
type guests struct {
	*conffile.Reader
	found map[string]kind.Guest
}

func body(r *conffile.Reader) any {
	g := guests{r, map[string]kind.Guest{}}
	g.libvirt()
	g.proxmox()
	if len(g.found) == 0 {
		return nil
	}
	facts := kind.Facts{Guests: make([]kind.Guest, 0, len(g.found))}
	for _, one := range g.found {
		facts.Guests = append(facts.Guests, one)
	}
	order.By(facts.Guests, func(a, b *kind.Guest) int { return cmp.Compare(a.ID, b.ID) })
	return facts
}

// add takes a guest in the place of an earlier one of the same id.
func (g *guests) add(one kind.Guest) {
	if _, known := g.found[one.ID]; one.ID == "" || !known && len(g.found) == maxGuests {
		if one.ID != "" {
			g.Limit()
		}
		return
	}
	tidy(&one)
	g.found[one.ID] = one
}
