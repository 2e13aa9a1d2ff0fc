package truth

import (
	"encoding/hex"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"assimilation/discovery/fileattrs"
)

// readAttributes asks for what stat does not tell: access lists, file
// capabilities, and the flags immutable and append-only.
func readAttributes(r Reading) error {
	for _, path := range fileattrs.Paths {
		if out, err := exec.Command("getfacl", "-cpnE", path).Output(); err == nil {
			entries := strings.Fields(string(out))
			if len(entries) > 3 { // three say no more than the mode
				r.Must.add(Attributes, path+" acl "+joined(entries))
			}
		}
		if out, err := exec.Command("getfattr", "-L", "--absolute-names", "--only-values", "-n", "security.capability", path).Output(); err == nil {
			r.Must.add(Attributes, path+" capabilities "+hex.EncodeToString(out))
		}
		out, err := exec.Command("lsattr", "-d", path).Output()
		if flags, _, ok := strings.Cut(string(out), " "); err == nil && ok {
			for letter, flag := range map[string]string{"a": "append-only", "i": "immutable"} {
				if strings.Contains(flags, letter) {
					r.Must.add(Attributes, path+" "+flag)
				}
			}
		}
	}
	return nil
}

func joined(list []string) string {
	slices.Sort(list)
	return strings.Join(list, " ")
}

func serviceAttributes(assim, host string, r Records) error {
	facts, err := bodies[fileattrs.Facts](assim, host, fileattrs.Kind.Name)
	if err != nil {
		return err
	}
	for _, f := range facts {
		for _, file := range f.Files {
			if len(file.ACL) > 0 {
				r.add(Attributes, file.Path+" acl "+joined(file.ACL))
			}
			if file.Capabilities != "" {
				r.add(Attributes, file.Path+" capabilities "+file.Capabilities)
			}
			for _, flag := range file.Flags {
				r.add(Attributes, fmt.Sprint(file.Path, " ", flag))
			}
		}
	}
	return nil
}
