package ingest

import (
	"fmt"
	"strings"
	"testing"

	"assimilation/discovery"
	"assimilation/discovery/containers"
	"assimilation/discovery/disks"
	"assimilation/discovery/mounts"
	"assimilation/discovery/processes"
	"assimilation/discovery/sockets"
	"assimilation/discovery/systemd"
	"assimilation/tenancy/store"
)

const containerID = "8d2a7c1f0e9b8a7d6c5b4a39281706f5e4d3c2b1a0998877665544332211ffee"

// within are facts of which edges hang on one another.
func within() map[string]func(*testing.T, *probe) {
	contained := sockets.Service{Name: "web", Exe: "/web", Container: containerID}
	plain := sockets.Service{Name: "sshd", Exe: "/usr/sbin/sshd"}
	put := func(k discovery.Kind, instance string, body any) func(*testing.T, *probe) {
		return func(t *testing.T, p *probe) { p.put(t, k, instance, body) }
	}
	return map[string]func(*testing.T, *probe){
		"sockets":    put(sockets.Kind, "", sockets.Facts{Services: []sockets.Service{contained, plain}}),
		"containers": put(containers.Kind, "", containers.Facts{Containers: []containers.Container{{ID: containerID, Name: "web", Image: "web:1", ImageID: "sha256:aa"}}}),
		"processes": put(processes.Kind, "", processes.Facts{Processes: []processes.Process{
			{Name: "sshd", Exe: "/usr/sbin/sshd", Units: []string{"ssh.service"}, Libraries: []string{"/usr/lib/libc.so.6"}}, {Name: "web", Exe: "/web", Container: containerID}}}),
		"systemd": put(systemd.Kind, systemd.Running, systemd.Facts{Running: []string{"ssh.service"}}),
		"disks":   put(disks.Kind, "", disks.Facts{Devices: []disks.Device{{Name: "vda", Type: "disk"}, {Name: "vda1", Type: "part", On: []string{"vda"}, Content: "ext4"}}}),
		"mounts":  put(mounts.Kind, "", mounts.Facts{Filesystems: []mounts.Filesystem{{Target: "/", Source: "/dev/vda1", Type: "ext4"}}}),
	}
}

// Whatever comes first, and whether together or one by one, the edges between
// facts stand when both ends do, and go with either.
func TestEdgesBetweenFactsInAnyOrder(t *testing.T) {
	f := newFixture(t)
	r := f.relay(t)
	orders := [][]string{
		{"sockets", "containers", "processes", "systemd", "disks", "mounts"},
		{"mounts", "disks", "systemd", "processes", "containers", "sockets"},
		{"processes", "sockets", "systemd", "mounts", "containers", "disks"},
		{"systemd", "processes", "disks", "containers", "mounts", "sockets"},
	}
	facts := within()
	var probes []*probe
	for i, order := range orders {
		for _, together := range []bool{false, true} {
			p := r.probe(t, fmt.Sprint("h", i, together))
			probes = append(probes, p)
			for _, kind := range order {
				facts[kind](t, p)
				if !together {
					r.flush(t)
				}
			}
			r.flush(t)
		}
	}
	edges := []string{"RUNS_IN", "STARTED_BY", "LOADS", "ON_DISK", "CARRIES", "OF_IMAGE"}
	count := func() (all string) {
		t.Helper()
		for _, edge := range edges {
			all += fmt.Sprint(" ", value[int](t, f, fmt.Sprintf(`SELECT count(*) FROM %s.%q`, store.Graph(f.tenant), edge)))
		}
		return strings.TrimSpace(all)
	}
	f.consistent(t)
	if got, want := count(), "8 8 8 8 8 8"; got != want {
		t.Errorf("edges %v: %s, want %s", edges, got, want)
	}
	for i, kind := range []string{"containers", "systemd", "sockets", "disks"} {
		instance := ""
		if kind == "systemd" {
			instance = systemd.Running
		}
		probes[i].drop(t, kind, instance)
		r.flush(t)
	}
	f.consistent(t)
	if got, want := count(), "6 6 7 7 7 7"; got != want {
		t.Errorf("after four facts went, edges %v: %s, want %s", edges, got, want)
	}
}

// What most changes touch is read alone.
func TestOrdinaryChangesNeedNoOtherFact(t *testing.T) {
	host := discovery.HostRef{ID: "11111111-2222-4333-8444-555555555555"}
	projected := func(k discovery.Kind, body any) (e part) {
		fact, err := discovery.NewFact(k, "", body)
		if err != nil {
			t.Fatal(err)
		}
		if e.now, err = project(host, fact); err != nil {
			t.Fatal(err)
		}
		e.changed = true
		return e
	}
	service := sockets.Service{Name: "sshd", Exe: "/usr/sbin/sshd", Listens: []sockets.Listen{{Protocol: "tcp", IP: "10.0.0.1", Port: 22}}}
	moved := service
	moved.Listens = []sockets.Listen{{Protocol: "tcp", IP: "10.0.0.1", Port: 2222}}
	before, now := projected(sockets.Kind, sockets.Facts{Services: []sockets.Service{service}}), projected(sockets.Kind, sockets.Facts{Services: []sockets.Service{moved}})
	now.before = before.now
	name := discovery.FactName{Kind: sockets.Kind.Name}
	if on, by := linked.needs(name, &now); len(on)+len(by) > 0 {
		t.Errorf("a moved port needs %v and %v", on, by)
	}
	if on, by := linked.needs(name, &before); len(on) > 0 || len(by) == 0 {
		t.Errorf("a new service needs %v and %v", on, by)
	}
}
