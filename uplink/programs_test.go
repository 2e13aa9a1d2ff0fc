package uplink_test

import (
	"strings"
	"testing"

	"assimilation/uplink"
	"assimilation/wire"
)

func TestProgramsThatMayBeHandedOut(t *testing.T) {
	good := uplink.Program{Name: "assim-probe-linux-amd64", Size: 7 << 20, Hash: fill(32, 1), Version: "1.2.3"}
	with := func(change func(*uplink.Program)) uplink.Orders {
		p := good
		change(&p)
		o := orders()
		o.Programs = []uplink.Program{p}
		return o
	}
	if err := with(func(*uplink.Program) {}).Check(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*uplink.Program){
		"path":        func(p *uplink.Program) { p.Name = "../etc/passwd" },
		"hidden":      func(p *uplink.Program) { p.Name = ".profile" },
		"option":      func(p *uplink.Program) { p.Name = "-rf" },
		"shell":       func(p *uplink.Program) { p.Name = "a;reboot" },
		"empty":       func(p *uplink.Program) { p.Name = "" },
		"long":        func(p *uplink.Program) { p.Name = strings.Repeat("a", 65) },
		"no bytes":    func(p *uplink.Program) { p.Size = 0 },
		"huge":        func(p *uplink.Program) { p.Size = uplink.MaxProgram + 1 },
		"short hash":  func(p *uplink.Program) { p.Hash = fill(31, 1) },
		"bad version": func(p *uplink.Program) { p.Version = "1\n2" },
	} {
		if err := with(change).Check(); wire.ReasonOf(err) != wire.Malformed {
			t.Errorf("%s: %v", name, err)
		}
	}
	twice := orders()
	twice.Programs = []uplink.Program{good, good}
	if twice.Check() == nil {
		t.Error("two programs of one name were accepted")
	}
	many := orders()
	for i := range uplink.MaxPrograms + 1 {
		p := good
		p.Name = "p" + strings.Repeat("x", i)
		many.Programs = append(many.Programs, p)
	}
	if err := many.Check(); wire.ReasonOf(err) != wire.TooLarge {
		t.Errorf("too many: %v", err)
	}

	changed := good
	changed.Version = "1.2.4"
	one, other := uplink.ProgramsHash([]uplink.Program{good}), uplink.ProgramsHash([]uplink.Program{changed})
	if one == other || one == uplink.ProgramsHash(nil) {
		t.Error("different lists hash to the same")
	}
}
