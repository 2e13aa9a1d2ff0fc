package collect

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"assimilation/discovery"
	kind "assimilation/discovery/hardware"
)

// Collector reads /proc and /sys.
type Collector struct{ root fs.FS }

// New returns a collector of the system whose files are under root.
func New(root fs.FS) *Collector { return &Collector{root} }

// Local returns the collector of this host.
func Local() *Collector { return New(os.DirFS("/")) }

// Kind is the kind "hardware".
func (c *Collector) Kind() discovery.Kind { return kind.Kind }

// Collect returns the one fact.
func (c *Collector) Collect(context.Context) ([]discovery.Fact, error) {
	files := &reader{root: c.root}
	machine := readMachine(files)
	disks := readDisks(files)
	cpu, virtual := readCPU(files)
	fact, err := discovery.NewFact(kind.Kind, "", kind.Facts{
		CPU:        cpu,
		Machine:    machine,
		MemoryMiB:  readMemory(files),
		NUMANodes:  listLength(files.line("sys/devices/system/node/online")),
		Disks:      disks,
		Hypervisor: hypervisor(files, machine, virtual),
		Container:  container(files),
	})
	if err != nil {
		return nil, err
	}
	return []discovery.Fact{fact}, errors.Join(files.problems...)
}
