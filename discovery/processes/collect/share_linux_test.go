package collect

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"assimilation/discovery/internal/process"
)

// Whoever maps very many files costs the probe little memory, and another user's
// services none of their files.
func TestOneUserTakesNoRoomOfAnother(t *testing.T) {
	names, kept := room{}, 0
	for i := range 100 {
		g := &group{Process: process.Process{UID: 1000}, room: names}
		for j := range 2 * maxFiles {
			g.note(process.File{Path: fmt.Sprintf("/home/%s/%d/%d", strings.Repeat("x", 900), i, j)}, &g.libraries)
		}
		if !g.cut || len(g.libraries) > maxFiles || !slices.IsSorted(g.libraries) {
			t.Fatalf("%d files, cut %v", len(g.libraries), g.cut)
		}
		for _, name := range g.libraries {
			kept += len(name)
		}
	}
	if kept > maxOfUser {
		t.Errorf("%d bytes are kept of one user, at most %d are allowed", kept, maxOfUser)
	}
	g := &group{Process: process.Process{UID: 0}, room: names}
	if g.note(process.File{Path: "/usr/lib/libssl.so.3", Stale: true}, &g.libraries); g.cut || len(g.libraries) != 1 || len(g.stale) != 1 {
		t.Errorf("another user's service has %q", g.libraries)
	}
}
