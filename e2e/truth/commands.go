package truth

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"assimilation/discovery/commands"
)

// runnable prints what a directory has that can be run: directory, name, type,
// target of a link, mode, owner and group.
const runnable = `find "$0" -maxdepth 1 -mindepth 1 \( -type f -perm /111 -o -type l -xtype f \) -printf '%h|%f|%y|%l|%m|%U|%G\n'`

// readCommands looks through the directories of root's path, those that are no
// links themselves.
func readCommands(r Reading) error {
	for _, dir := range []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/snap/bin"} {
		if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
			continue
		}
		out, err := output("sh", "-c", runnable, dir)
		if err != nil {
			return err
		}
		for line := range strings.Lines(out) {
			f := strings.Split(strings.TrimSuffix(line, "\n"), "|")
			if len(f) != 7 {
				continue // a name with a bar in it
			}
			path := filepath.Join(f[0], f[1])
			if f[2] == "l" {
				if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 {
					r.Must.add(Commands, path+" -> "+f[3])
				}
				continue
			}
			r.Must.add(Commands, path)
			if len(f[4]) == 4 && strings.ContainsAny(f[4][:1], "4567") {
				r.Must.add(Commands, path+" setuid "+f[5])
			}
			if len(f[4]) == 4 && strings.ContainsAny(f[4][:1], "2367") {
				r.Must.add(Commands, path+" setgid "+f[6])
			}
		}
		if out, err = optional("sh", "-c", `getcap "$0"/*`, dir); err != nil {
			return err
		}
		for line := range strings.Lines(out) {
			path, rights, _ := strings.Cut(strings.TrimSpace(line), " ")
			r.Must.add(Commands, path+" "+rights)
		}
	}
	return nil
}

func serviceCommands(assim, host string, r Records) error {
	facts, err := bodies[commands.Facts](assim, host, commands.Kind.Name)
	if err != nil {
		return err
	}
	for _, f := range facts {
		for _, c := range f.Commands {
			path := filepath.Join(c.Dir, c.Name)
			if c.Link != "" {
				path += " -> " + c.Link
			}
			r.add(Commands, path)
			for _, right := range c.Rights {
				r.add(Commands, fmt.Sprint(path, " ", right))
			}
		}
	}
	return nil
}
