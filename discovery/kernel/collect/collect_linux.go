package collect

import (
	"io/fs"
	"os"
	"strconv"
	"strings"

	"assimilation/discovery/internal/conffile"
	"assimilation/discovery/internal/order"
	"assimilation/discovery/internal/redact"
	kind "assimilation/discovery/kernel"
)

// maxModules bounds the list; a distribution's kernel has some 5000 to load.
const maxModules = 2048

// New returns a collector of the system whose files are under root.
func New(root fs.FS) *conffile.Collector {
	return conffile.New(conffile.Source{Kind: kind.Kind, Body: body}, root, "")
}

// Local returns the collector of this host.
func Local() *conffile.Collector { return New(os.DirFS("/")) }

func body(r *conffile.Reader) any {
	f := kind.Facts{
		CommandLine: redact.Args(conffile.Words(r.Line("/proc/cmdline"))),
		Lockdown:    chosen(r.Line("/sys/kernel/security/lockdown")),
		SecureBoot:  secureBoot(r),
		Clock:       r.Line("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
		Taints:      letters(r.Line("/proc/sys/kernel/tainted")),
		Modules:     modules(r),
	}
	if modules := r.Line("/sys/kernel/security/lsm"); modules != "" {
		f.SecurityModules = strings.Split(modules, ",")
	}
	const vulnerabilities = "/sys/devices/system/cpu/vulnerabilities"
	for _, name := range r.Dir(vulnerabilities) {
		if state := r.Line(vulnerabilities + "/" + name); state != "" {
			f.Vulnerabilities = append(f.Vulnerabilities, kind.Vulnerability{Name: conffile.Clean(name), State: state})
		}
	}
	return f
}

// modules reads /proc/modules (proc_modules(5)): name, size, uses, users, state,
// address, and taints in brackets if there are any.
func modules(r *conffile.Reader) (all []kind.Module) {
	text, _ := r.File("/proc/modules")
	for _, line := range conffile.Lines(text) {
		if len(all) == maxModules {
			r.Limit()
			break
		}
		words := strings.Fields(line)
		m := kind.Module{Name: conffile.Clean(words[0])}
		if last := words[len(words)-1]; len(words) > 6 && last[0] == '(' {
			m.Taints = conffile.Clean(strings.Trim(last, "()+-")) // a sign is of one that comes or goes
		}
		m.Version = r.Line("/sys/module/" + words[0] + "/version")
		all = append(all, m)
	}
	order.By(all, func(a, b *kind.Module) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// letters names the bits of /proc/sys/kernel/tainted, as the kernel does in its
// reports.
func letters(tainted string) string {
	const names = "PFSRMBUDAWCIOELKXTNJ"
	bits, err := strconv.ParseUint(tainted, 10, 64)
	if err != nil {
		return ""
	}
	var set []byte
	for i := range len(names) {
		if bits>>i&1 != 0 {
			set = append(set, names[i])
		}
	}
	return string(set)
}

// chosen is the word in brackets: "none [integrity] confidentiality".
func chosen(list string) string {
	_, after, _ := strings.Cut(list, "[")
	word, _, _ := strings.Cut(after, "]")
	return word
}

// secureBoot reads the variable of the UEFI specification (section 3.3): four bytes
// of attributes, then 1 if the firmware checks what it starts.
func secureBoot(r *conffile.Reader) string {
	value, found := r.File("/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c")
	switch {
	case !found || len(value) != 5:
		return ""
	case value[4] == 1:
		return "on"
	}
	return "off"
}
