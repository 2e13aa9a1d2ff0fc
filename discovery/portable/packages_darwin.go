package portable

import (
	"context"
	"os"
	"runtime"

	kind "assimilation/discovery/packages"
)

const manager = "pkgutil"

func installedPackages(context.Context) ([]kind.Package, error) {
	return readReceipts(os.DirFS("/"), runtime.GOARCH)
}
