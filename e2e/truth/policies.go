package truth

import (
	"path/filepath"
	"strings"

	"assimilation/discovery/auditd"
	"assimilation/discovery/limits"
	"assimilation/discovery/logindefs"
	"assimilation/discovery/nsswitch"
	"assimilation/discovery/pam"
)

// No tool prints these files as they are understood; so awk reads them by the
// rules of their man pages. What one program stands for each line: a record.
const (
	nsswitchProgram  = `{ sub(/#.*/, "") } /:/ { name = $0; sub(/:.*/, "", name); sub(/^[^:]*:/, ""); $1 = $1; print name " = " $0 }`
	logindefsProgram = `!/^[ \t]*(#|$)/ { name = $1; sub(/^[ \t]*[^ \t]+[ \t]*/, ""); print name " = " $0 }`
	limitsProgram    = `{ sub(/#.*/, "") } NF == 4 { print $1, $2, $3, $4 }`
	auditProgram     = `!/^[ \t]*(#|$)/ { $1 = $1; print }`
	// A service without a type before its control is an @include of all four.
	pamProgram = `{ line = line $0; if (sub(/\\$/, " ", line)) next; $0 = line; line = ""; sub(/#.*/, "") }
		NF == 0 { next }
		$1 == "@include" { print "auth include", $2; print "account include", $2; print "password include", $2; print "session include", $2; next }
		{ if (sub(/^-/, "")) $2 = "-" $2; $1 = $1; print }`
)

// awk runs a program on the files that match a pattern.
func awk(program, pattern string) (string, error) {
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		return "", err
	}
	return output("awk", append([]string{program}, files...)...)
}

func readPolicies(r Reading) error {
	for _, from := range []struct {
		class            Class
		program, pattern string
	}{
		{Nsswitch, nsswitchProgram, "/etc/nsswitch.conf"},
		{LoginDefs, logindefsProgram, "/etc/login.defs"},
		{Limits, limitsProgram, "/etc/security/limits.conf"},
		{Limits, limitsProgram, "/etc/security/limits.d/*.conf"},
		{Audit, auditProgram, "/etc/audit/rules.d/*.rules"},
	} {
		out, err := awk(from.program, from.pattern)
		if err != nil {
			return err
		}
		for line := range strings.Lines(out) {
			r.Must.add(from.class, strings.TrimSpace(line))
		}
	}
	out, err := awk(auditProgram, "/etc/audit/auditd.conf")
	if err != nil {
		return err
	}
	for line := range strings.Lines(out) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		r.Must.add(Audit, strings.ToLower(strings.TrimSpace(name))+" = "+strings.TrimSpace(value))
	}
	return readPam(r)
}

func readPam(r Reading) error {
	seen := Set{}
	vendor, err := filepath.Glob("/usr/lib/pam.d/*")
	if err != nil {
		return err
	}
	services, err := filepath.Glob("/etc/pam.d/*")
	if err != nil {
		return err
	}
	for _, file := range append(services, vendor...) {
		if seen[filepath.Base(file)] {
			continue // the host's own stands for it
		}
		seen[filepath.Base(file)] = true
		out, err := awk(pamProgram, file)
		if err != nil {
			return err
		}
		for line := range strings.Lines(out) {
			r.Must.add(Pam, filepath.Base(file)+" "+strings.ToLower(strings.TrimSpace(line)))
		}
	}
	return nil
}

func servicePolicies(assim, host string, r Records) error {
	names, err := bodies[nsswitch.Facts](assim, host, nsswitch.Kind.Name)
	if err != nil {
		return err
	}
	for _, f := range names {
		for _, s := range f.Databases {
			r.add(Nsswitch, s.Name+" = "+s.Value)
		}
	}
	logins, err := bodies[logindefs.Facts](assim, host, logindefs.Kind.Name)
	if err != nil {
		return err
	}
	for _, f := range logins {
		for _, s := range f.Settings {
			r.add(LoginDefs, s.Name+" = "+s.Value)
		}
	}
	bounds, err := bodies[limits.Facts](assim, host, limits.Kind.Name)
	if err != nil {
		return err
	}
	for _, f := range bounds {
		for _, l := range f.Limits {
			r.add(Limits, strings.Join([]string{l.Domain, l.Type, l.Item, l.Value}, " "))
		}
	}
	audits, err := bodies[auditd.Facts](assim, host, auditd.Kind.Name)
	if err != nil {
		return err
	}
	for _, f := range audits {
		for _, s := range f.Settings {
			r.add(Audit, s.Name+" = "+s.Value)
		}
		for _, rule := range f.Rules {
			r.add(Audit, rule)
		}
	}
	return servicePam(assim, host, r)
}

func servicePam(assim, host string, r Records) error {
	facts, err := bodies[pam.Facts](assim, host, pam.Kind.Name)
	if err != nil {
		return err
	}
	for _, f := range facts {
		for _, s := range f.Services {
			for name, stack := range map[string][]string{"auth": s.Auth, "account": s.Account, "password": s.Password, "session": s.Session} {
				for _, line := range stack {
					r.add(Pam, strings.ToLower(s.Name+" "+name+" "+line))
				}
			}
		}
	}
	return nil
}
