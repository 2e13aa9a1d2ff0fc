package collect

import (
	"context"
	"io/fs"
	"slices"
	"time"
)

// refreshOwners is how often all sockets are looked up again: processes fork
// and hand sockets over without a new inode.
const refreshOwners = time.Minute

// maxTries is how many scans may miss a socket's holder before the socket is
// called unknown: a process may end, or a descriptor be under way, while a
// scan runs.
const maxTries = 2

// owners remembers who holds which socket.
type owners struct {
	proc      fs.FS
	held      func(pid string) []uint32
	holders   map[uint32]*holding // by inode
	pids      map[string]bool     // that held a socket at the last scan
	refreshed time.Time
}

type holding struct {
	by    []*identity // none: not found yet
	tries int         // scans that missed it
}

// wanted is a socket whose holders are asked for.
type wanted struct {
	inode uint32
	// shared sockets (listeners) are looked for in all processes, the others
	// in the first that holds them.
	shared bool
}

func newOwners(proc fs.FS, held func(pid string) []uint32) *owners {
	return &owners{proc: proc, held: held, holders: map[uint32]*holding{}, pids: map[string]bool{}}
}

// update looks up the sockets that are new. Those not among sockets are
// forgotten, unless partial says that the list leaves sockets out.
func (o *owners) update(ctx context.Context, sockets []wanted, partial bool, now time.Time) error {
	refresh := now.Sub(o.refreshed) >= refreshOwners
	present := make(map[uint32]bool, len(sockets))
	missing := map[uint32]bool{}
	everywhere := false
	for _, s := range sockets {
		present[s.inode] = true
		h := o.holders[s.inode]
		if h == nil || len(h.by) == 0 && h.tries < maxTries || refresh && (s.shared || len(h.by) == 0) {
			missing[s.inode] = true
			everywhere = everywhere || s.shared
		}
	}
	if !partial {
		for inode := range o.holders {
			if !present[inode] {
				delete(o.holders, inode)
			}
		}
	}
	if refresh {
		o.refreshed = now
	}
	if len(missing) == 0 {
		return nil
	}
	found, err := o.scan(ctx, missing, everywhere)
	if err != nil {
		return err
	}
	for inode := range missing {
		h := o.holders[inode]
		if h == nil {
			h = &holding{}
			o.holders[inode] = h
		}
		if by := found[inode]; len(by) > 0 {
			*h = holding{by: by}
		} else {
			h.by = nil
			h.tries++
		}
	}
	return nil
}

// of returns the holders of a socket; known is false while they are still
// looked for.
func (o *owners) of(inode uint32) (by []*identity, known bool) {
	h := o.holders[inode]
	if h == nil {
		return nil, false
	}
	return h.by, len(h.by) > 0 || h.tries >= maxTries
}

// scan reads the descriptors of all processes, those first that held sockets
// before. Unless everywhere is set it ends when all are found.
func (o *owners) scan(ctx context.Context, missing map[uint32]bool, everywhere bool) (map[uint32][]*identity, error) {
	pids, err := o.order()
	if err != nil {
		return nil, err
	}
	found := map[uint32][]*identity{}
	known := map[string]*identity{}
	for _, pid := range pids {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		held := o.heldBy(pid, missing)
		if len(held) == 0 {
			continue
		}
		who, alive := readIdentity(o.proc, pid)
		if !alive {
			continue
		}
		o.pids[pid] = true
		if same := known[who.key]; same != nil {
			who = same
		}
		known[who.key] = who
		for _, inode := range held {
			if !slices.Contains(found[inode], who) {
				found[inode] = append(found[inode], who)
			}
		}
		if !everywhere && len(found) == len(missing) {
			break
		}
	}
	return found, nil
}

// order lists the processes and forgets the dead.
func (o *owners) order() ([]string, error) {
	entries, err := fs.ReadDir(o.proc, ".")
	if err != nil {
		return nil, err
	}
	var before, others []string
	held := map[string]bool{}
	for _, e := range entries {
		switch pid := e.Name(); {
		case pid[0] < '1' || pid[0] > '9':
		case o.pids[pid]:
			before = append(before, pid)
			held[pid] = true
		default:
			others = append(others, pid)
		}
	}
	o.pids = held
	return append(before, others...), nil
}

// heldBy returns those of the wanted sockets to which the process has a
// descriptor.
func (o *owners) heldBy(pid string, missing map[uint32]bool) []uint32 {
	var held []uint32
	for _, inode := range o.held(pid) {
		if missing[inode] {
			held = append(held, inode)
		}
	}
	slices.Sort(held) // a proxy holds 50,000: nothing quadratic here
	return slices.Compact(held)
}
