package truth

import (
	"os"
	"regexp"
	"strings"

	"assimilation/discovery/processes"
)

// executable finds the mappings of every process that may be executed
// (proc_pid_maps(5)); processes that end meanwhile, or are closed to us, are passed
// over.
const executable = `grep -H '^[^ ]* ..x. [^/]* /' /proc/[0-9]*/maps 2>/dev/null; true`

// mapping matches a line of that: process and file.
var mapping = regexp.MustCompile(`^/proc/(\d+)/maps:[^/]*(/.*)$`)

// readProcesses asks which files the processes run that ss shows as listening.
// Others are services too, those with connections.
func readProcesses(r Reading) error {
	out, err := r.ask(Running, "ss", "-Htlnp")
	if err != nil {
		return err
	}
	listening := Set{}
	for _, match := range process.FindAllStringSubmatch(out, -1) {
		listening[match[1]] = true
	}
	if out, err = output("sh", "-c", executable); err != nil {
		return err
	}
	exes := map[string]string{}
	for line := range strings.Lines(out) {
		match := mapping.FindStringSubmatch(strings.TrimSpace(line))
		if match == nil {
			continue
		}
		pid, file := match[1], match[2]
		exe, known := exes[pid]
		if !known {
			exe, _ = os.Readlink("/proc/" + pid + "/exe") // "" of one that has ended
			exes[pid] = exe
		}
		if exe == "" {
			continue
		}
		into := r.May
		if listening[pid] {
			into = r.Must
		}
		// What another root has, such as a chroot's, is not told.
		if root, _ := os.Readlink("/proc/" + pid + "/root"); root != "/" {
			into = r.May
		}
		program, replaced := strings.CutSuffix(exe, " (deleted)")
		file, gone := strings.CutSuffix(file, " (deleted)")
		switch {
		case file == program && !replaced:
			into.add(Running, program)
		case file == program:
			into.add(Running, program)
			into.add(Running, program+" waits for a restart: "+file)
		default:
			into.add(Running, program+" runs "+file)
			if gone {
				into.add(Running, program+" waits for a restart: "+file)
			}
		}
	}
	return nil
}

func serviceProcesses(assim, host string, r Records) error {
	facts, err := bodies[processes.Facts](assim, host, processes.Kind.Name)
	if err != nil {
		return err
	}
	for _, f := range facts {
		for _, p := range f.Processes {
			r.add(Running, p.Exe)
			for _, file := range p.Libraries {
				r.add(Running, p.Exe+" runs "+file)
			}
			for _, file := range p.Stale {
				r.add(Running, p.Exe+" waits for a restart: "+file)
			}
		}
	}
	return nil
}
