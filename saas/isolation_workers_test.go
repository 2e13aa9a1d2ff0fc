package saas

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"assimilation/tenancy/tenancytest"
	"assimilation/tenancy/tenancytest/mutants"
)

// delegate lets processes, each with a service and a database of its own, hunt the
// mutants: which one is alive is of the whole process. The shares are dealt out in
// turn, as mutants of one file last alike.
func delegate(t *testing.T, all []mutants.Mutant) (total *tenancytest.Outcome) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	var started []*exec.Cmd
	for i := range *workers {
		var share []mutants.Mutant
		for n := i; n < len(all); n += *workers {
			share = append(share, all[n])
		}
		mine := filepath.Join(folder, fmt.Sprint(i))
		writeJSON(t, mine, share)
		c := exec.CommandContext(t.Context(), program, "-test.v", "-test.timeout=0", "-test.run=^TestMutantsOfTheCode$", "-mutants="+mine, "-outcome="+mine+".outcome", fmt.Sprintf("-every-case=%t", *everyCase))
		c.Stdout, c.Stderr = os.Stdout, os.Stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		started = append(started, c)
	}
	total = &tenancytest.Outcome{Killed: map[string]int{}}
	for i, c := range started {
		if err := c.Wait(); err != nil {
			t.Errorf("worker %d: %v", i, err)
			continue
		}
		var part tenancytest.Outcome
		readJSON(t, filepath.Join(folder, fmt.Sprint(i)+".outcome"), &part)
		for sort, n := range part.Killed {
			total.Killed[sort] += n
		}
		total.Survivors = append(total.Survivors, part.Survivors...)
	}
	return total
}

func writeJSON(t *testing.T, path string, v any) {
	t.Helper()
	text, err := json.Marshal(v)
	if err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func readJSON(t *testing.T, path string, v any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, v)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
