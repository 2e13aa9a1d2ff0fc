package portable

import (
	"bytes"
	"context"
	"os/exec"

	kind "assimilation/discovery/packages"
)

const manager = "pkg"

// installedPackages asks pkg(8), whose database has no other documented reader.
func installedPackages(ctx context.Context) ([]kind.Package, error) {
	out, err := exec.CommandContext(ctx, "/usr/local/sbin/pkg", "query", "%n\t%v\t%q\t%L").Output()
	if err != nil {
		return nil, err
	}
	return readPkg(bytes.NewReader(out))
}
