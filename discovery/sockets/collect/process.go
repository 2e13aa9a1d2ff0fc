package collect

import (
	"io/fs"

	"assimilation/discovery/internal/process"
	kind "assimilation/discovery/sockets"
)

const maxProcFile = 16 << 10

// identity is what identical processes have in common.
type identity struct {
	key     string
	service kind.Service // without endpoints
}

func newIdentity(p process.Process) *identity {
	return &identity{p.Key(), kind.Service{Name: p.Name, Exe: p.Exe, Argv: p.Argv, UID: p.UID, GID: p.GID, Container: p.Container}}
}

// kernelIdentity is of sockets that no process can hold.
func kernelIdentity() *identity { return newIdentity(process.Process{Name: "kernel"}) }

// unknownIdentity is of sockets whose process was not found.
func unknownIdentity(uid uint32) *identity {
	return newIdentity(process.Process{Name: "unknown", UID: int64(uid), GID: -1})
}

// readIdentity reads who the process is from proc(5); false if it is gone.
func readIdentity(proc fs.FS, pid string) (*identity, bool) {
	p, alive := process.Read(proc, pid)
	return newIdentity(p), alive
}
