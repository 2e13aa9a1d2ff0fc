package truth

import (
	"fmt"
	"slices"
	"strings"

	"assimilation/discovery/sudoers"
	"assimilation/discovery/users"
)

// readAccounts asks for groups, and what state passwords are in.
func readAccounts(r Reading) error {
	out, err := output("getent", "-s", "files", "group")
	if err != nil {
		return err
	}
	for line := range strings.Lines(out) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) < 4 {
			return fmt.Errorf("getent: a line of %d fields: %q", len(f), line)
		}
		r.Must.add(Groups, groupRecord(f[0], f[2], strings.Split(f[3], ",")))
	}
	if out, err = r.ask(Passwords, "passwd", "-S", "-a"); err != nil {
		return err
	}
	states := map[string]users.Password{"P": users.PasswordSet, "NP": users.PasswordEmpty, "L": users.PasswordLocked}
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) > 1 {
			r.Must.add(Passwords, f[0]+" "+states[f[1]])
		}
	}
	return nil
}

func groupRecord(name, gid string, members []string) string {
	slices.Sort(members)
	return name + " " + gid + " " + strings.Join(members, ",")
}

func serviceAccounts(assim, host string, r Records) error {
	facts, err := bodies[users.Facts](assim, host, users.Kind.Name)
	if err != nil {
		return err
	}
	for _, f := range facts {
		for _, g := range f.Groups {
			r.add(Groups, groupRecord(g.Name, fmt.Sprint(g.GID), g.Members))
		}
		for _, u := range f.Users {
			r.add(Passwords, u.Name+" "+u.Password)
		}
	}
	return nil
}

// sudoNames is a list of cvtsudoers, each member with one of several keys.
type sudoNames []map[string]any

// words are the members as they stand in the file.
func (names sudoNames) words() string {
	var all []string
	for _, name := range names {
		word := ""
		for key, value := range name {
			switch key {
			case "usergroup":
				word += "%" + fmt.Sprint(value)
			case "negated":
				word = "!" + word
			default:
				word += fmt.Sprint(value)
			}
		}
		all = append(all, word)
	}
	return strings.Join(all, ",")
}

type sudoSpec struct {
	Who   sudoNames `json:"User_List"`
	Hosts sudoNames `json:"Host_List"`
	Specs []struct {
		Users    sudoNames `json:"runasusers"`
		Groups   sudoNames `json:"runasgroups"`
		Options  []map[string]any
		Commands sudoNames
	} `json:"Cmnd_Specs"`
}

// readSudoers has sudo's own parser read the files.
func readSudoers(r Reading) error {
	out, err := r.ask(Sudoers, "cvtsudoers", "-f", "json", "/etc/sudoers")
	if err != nil || out == "" {
		return err
	}
	var file struct {
		Defaults []struct{ Options []map[string]any }
		Specs    []sudoSpec `json:"User_Specs"`
	}
	if err := decode(out, &file, "cvtsudoers"); err != nil {
		return err
	}
	for _, d := range file.Defaults {
		for _, options := range d.Options {
			for name, value := range options {
				r.Must.add(Sudoers, "Defaults "+defaultRecord(name, value))
			}
		}
	}
	for _, spec := range file.Specs {
		for _, s := range spec.Specs {
			as := s.Users.words()
			if groups := strings.ReplaceAll(s.Groups.words(), "%", ""); groups != "" {
				as += ":" + groups
			}
			asks := true
			for _, option := range s.Options {
				asks = asks && option["authenticate"] != false
			}
			for _, command := range s.Commands {
				r.Must.add(Sudoers, sudoRecord(spec.Who.words(), spec.Hosts.words(), as, sudoNames{command}.words(), asks))
			}
		}
	}
	return nil
}

func defaultRecord(name string, value any) string {
	switch value {
	case true:
		return name
	case false:
		return "!" + name
	}
	return fmt.Sprintf("%s=%v", name, value)
}

func sudoRecord(who, hosts, as, command string, asks bool) string {
	return fmt.Sprintf("%s %s=(%s) %s, asks for a password: %v", who, hosts, as, command, asks)
}

func serviceSudoers(assim, host string, r Records) error {
	facts, err := bodies[sudoers.Facts](assim, host, sudoers.Kind.Name)
	if err != nil {
		return err
	}
	for _, f := range facts {
		for _, d := range f.Defaults {
			if d.Scope == "" {
				r.add(Sudoers, "Defaults "+strings.ReplaceAll(d.Setting, `"`, ""))
			}
		}
		for _, rule := range f.Rules {
			asks := !strings.Contains(rule.Tags, "NOPASSWD")
			r.add(Sudoers, sudoRecord(rule.Who, rule.Hosts, rule.RunAs, rule.Command, asks))
		}
	}
	return nil
}
