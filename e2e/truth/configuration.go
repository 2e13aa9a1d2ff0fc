package truth

import (
	"errors"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"assimilation/discovery/fileattrs"
	"assimilation/discovery/kernel"
	"assimilation/discovery/sshd"
	"assimilation/discovery/sysctl"
	"assimilation/discovery/systemd"
)

// optional is output, but nothing where the program is not installed or says
// nothing but an error, as sshd does without host keys, and lsmod on a kernel
// without modules.
func optional(name string, args ...string) (string, error) {
	out, err := output(name, args...)
	var exit *exec.ExitError
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, exec.ErrNotFound) || errors.As(err, &exit) {
		return "", nil
	}
	return out, err
}

func readSysctl(r Reading) error {
	out, err := r.ask(Sysctl, "sysctl", "-a")
	if err != nil {
		return err
	}
	values := map[string]string{} // a value of several lines is printed as several
	for line := range strings.Lines(out) {
		name, value, _ := strings.Cut(line, " = ")
		if !sysctl.LeftOut(sysctl.Name(name)) {
			values[name] += " " + value
		}
	}
	for name, value := range values {
		if value = strings.Join(strings.Fields(value), " "); value != "" {
			r.Must.add(Sysctl, name+" = "+value)
		}
	}
	return nil
}

func serviceSysctl(assim, host string, r Records) error {
	facts, err := bodies[sysctl.Facts](assim, host, sysctl.Kind.Name)
	if err != nil {
		return err
	}
	for _, f := range facts {
		for _, p := range f.Parameters {
			if p.Value != "" { // of some of these sysctl prints no line
				r.add(Sysctl, p.Name+" = "+p.Value)
			}
		}
	}
	return nil
}

// vulnerabilityRecord leaves out the punctuation, which lscpu changes.
func vulnerabilityRecord(name, state string) string {
	return name + " " + strings.NewReplacer(":", "", ";", "").Replace(strings.TrimSpace(state))
}

// readKernel asks lsmod for modules, and lscpu for flaws of processors.
func readKernel(r Reading) error {
	out, err := r.ask(Modules, "lsmod")
	if err != nil {
		return err
	}
	for i, line := range strings.Split(strings.TrimSpace(out), "\n") {
		if name, _, _ := strings.Cut(line, " "); i > 0 {
			r.Must.add(Modules, name)
		}
	}
	if out, err = output("lscpu"); err != nil {
		return err
	}
	for line := range strings.Lines(out) {
		name, state, ok := strings.Cut(strings.TrimSpace(line), ":")
		if name, is := strings.CutPrefix(name, "Vulnerability "); ok && is {
			r.Must.add(Vulnerabilities, vulnerabilityRecord(strings.ReplaceAll(strings.ToLower(name), " ", "_"), state))
		}
	}
	return nil
}

func serviceKernel(assim, host string, r Records) error {
	facts, err := bodies[kernel.Facts](assim, host, kernel.Kind.Name)
	if err != nil {
		return err
	}
	for _, f := range facts {
		for _, m := range f.Modules {
			r.add(Modules, m.Name)
		}
		for _, v := range f.Vulnerabilities {
			r.add(Vulnerabilities, vulnerabilityRecord(v.Name, v.State))
		}
	}
	return nil
}

// readUnits asks systemctl for what the files say, which it can do where systemd
// does not run.
func readUnits(r Reading) error {
	out, err := r.ask(Units, "systemctl", "list-unit-files", "--root=/", "--no-legend", "--no-pager")
	if err != nil {
		return err
	}
	for line := range strings.Lines(out) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		switch words[0][strings.LastIndexByte(words[0], '.')+1:] {
		case "slice", "swap", "device", "scope": // no facts
		default:
			r.Must.add(Units, words[0]+" "+words[1])
		}
	}
	return nil
}

func serviceUnits(assim, host string, r Records) error {
	facts, err := bodies[systemd.Facts](assim, host, systemd.Kind.Name)
	if err != nil {
		return err
	}
	for _, f := range facts {
		for _, u := range f.Units {
			if u.State == systemd.Transient || u.State == systemd.Generated {
				continue // systemctl does not look there when it is given a root
			}
			r.add(Units, u.Name+" "+u.State)
		}
	}
	return nil
}

func readFiles(r Reading) error {
	for _, path := range fileattrs.Paths {
		out, err := output("stat", "-L", "-c", "%a %u %g %n", path)
		if err == nil {
			r.Must.add(Files, strings.TrimSpace(out)) // else it is not there
		}
	}
	return nil
}

func serviceFiles(assim, host string, r Records) error {
	facts, err := bodies[fileattrs.Facts](assim, host, fileattrs.Kind.Name)
	if err != nil {
		return err
	}
	for _, f := range facts {
		for _, file := range f.Files {
			r.add(Files, file.Mode+" "+strconv.FormatInt(file.UID, 10)+" "+strconv.FormatInt(file.GID, 10)+" "+file.Path)
		}
	}
	return nil
}

// undecided are keywords whose default is not told, see discovery/sshd.
var undecided = []string{"pidfile", "modulifile", "xauthlocation", "requiredrsasize", "unusedconnectiontimeout", "securitykeyprovider",
	"persourcemaxstartups", "persourcenetblocksize", "pubkeyauthoptions", "ipqos", "kerberosauthentication", "kerberosorlocalpasswd",
	"kerberosticketcleanup", "gssapikeyexchange", "gssapistorecredentialsonrekey", "gssapikexalgorithms"}

func readSshd(r Reading) error {
	out, err := r.ask(Sshd, "/usr/sbin/sshd", "-T")
	if err != nil {
		return err
	}
	for line := range strings.Lines(out) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if value == "without-password" { // the older name
			value = "prohibit-password"
		}
		into := r.Must
		if slices.Contains(undecided, name) {
			into = r.May
		}
		into.add(Sshd, name+" "+value)
	}
	return readHostKeys(r)
}

// readHostKeys asks for the fingerprints of the public keys beside the private.
func readHostKeys(r Reading) error {
	keys, err := filepath.Glob("/etc/ssh/ssh_host_*_key.pub")
	if err != nil {
		return err
	}
	for _, key := range keys {
		out, err := r.ask(HostKeys, "ssh-keygen", "-l", "-f", key)
		if err != nil {
			return err
		}
		if f := strings.Fields(out); len(f) > 1 {
			r.Must.add(HostKeys, strings.TrimSuffix(key, ".pub")+" "+f[1])
		}
	}
	return nil
}

func serviceSshd(assim, host string, r Records) error {
	facts, err := bodies[sshd.Facts](assim, host, sshd.Kind.Name)
	if err != nil {
		return err
	}
	for _, f := range facts {
		for _, key := range f.HostKeys {
			r.add(HostKeys, key.Path+" "+key.Fingerprint)
		}
		for _, s := range f.Settings {
			for _, value := range slices.Concat(s.Values, s.Names) {
				r.add(Sshd, s.Name+" "+value)
			}
		}
	}
	return nil
}
