package truth

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"strings"
)

// ReadHost asks the tools of this host.
func ReadHost() (Reading, error) {
	r := newReading()
	for _, read := range []func(Reading) error{
		readPackages, readNetwork, readNeighbours, readListeners, readProcesses, readCommands, readContainers, readOS,
		readUsers, readAccounts, readSudoers, readMounts, readHardware, readDisks, readContents, readChecksums, readCertificates, readServed,
		readFirewall, readRules, readLanguages, readSysctl, readKernel, readUnits, readFiles, readAttributes,
		readSshd, readPolicies, readResolver, readClock, readCron,
	} {
		if err := read(r); err != nil {
			return Reading{}, err
		}
	}
	for graph, told := range map[Class]Class{GraphPackages: Packages, GraphListeners: Listeners} {
		r.Must[graph], r.May[graph] = r.Must[told], r.May[told]
		if why := r.Unasked[told]; why != "" {
			r.Unasked[graph] = why
		}
	}
	return r, nil
}

// ask is output for a class of which nothing is known where the program is not
// installed, or says nothing but an error.
func (r Reading) ask(c Class, name string, args ...string) (string, error) {
	out, err := output(name, args...)
	var exit *exec.ExitError
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		r.Unasked[c] = name + " is not installed"
		return "", nil
	case errors.As(err, &exit):
		r.Unasked[c] = strings.Join(strings.Fields(err.Error()), " ")
		return "", nil
	}
	return out, err
}

func output(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) && len(exit.Stderr) > 0 {
			err = fmt.Errorf("%w: %s", exit, strings.TrimSpace(string(exit.Stderr[:min(len(exit.Stderr), 200)])))
		}
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return string(out), nil
}

func outputJSON(into any, name string, args ...string) error {
	out, err := output(name, args...)
	if err != nil {
		return err
	}
	if strings.TrimSpace(out) == "" {
		return nil // ip prints nothing for an empty list
	}
	return decode(out, into, name+" "+strings.Join(args, " "))
}

func decode(out string, into any, who string) error {
	if err := json.Unmarshal([]byte(out), into); err != nil {
		return fmt.Errorf("%s: %w", who, err)
	}
	return nil
}

func readPackages(r Reading) error {
	out, err := output("dpkg-query", "-W", "-f", `${db:Status-Status} ${Package} ${Version} ${Architecture}\n`)
	if err != nil {
		return err
	}
	for line := range strings.Lines(out) {
		if installed, ok := strings.CutPrefix(strings.TrimSpace(line), "installed "); ok {
			r.Must.add(Packages, installed) // in the form of packageRecord
		}
	}
	return nil
}

func packageRecord(name, version, arch string) string { return name + " " + version + " " + arch }

// releaseFields are the assignments of os-release(5) that are facts.
var releaseFields = []string{"ID", "ID_LIKE", "NAME", "PRETTY_NAME", "VERSION", "VERSION_ID", "VERSION_CODENAME",
	"VARIANT", "BUILD_ID", "IMAGE_ID", "IMAGE_VERSION"}

func readOS(r Reading) error {
	// The file is a piece of shell, so a shell reads it.
	script := ". /etc/os-release\n"
	for _, field := range releaseFields {
		script += `printf '%s=%s\n' ` + field + ` "$` + field + `"` + "\n"
	}
	out, err := output("env", "-i", "sh", "-c", script)
	if err != nil {
		return err
	}
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		if !strings.HasSuffix(line, "=") {
			r.Must.add(OS, line)
		}
	}
	for flag, field := range map[string]string{"-s": "name", "-r": "release", "-v": "version", "-m": "machine"} {
		out, err := output("uname", flag)
		if err != nil {
			return err
		}
		r.Must.add(Kernel, field+" "+strings.TrimSpace(out))
	}
	return nil
}
