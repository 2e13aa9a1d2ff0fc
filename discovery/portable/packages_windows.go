package portable

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/windows/registry"

	kind "assimilation/discovery/packages"
)

const manager = "windows"

// installedPackages reads what "Installed apps" shows: the keys by which programs are
// uninstalled, of both widths.
func installedPackages(context.Context) ([]kind.Package, error) {
	var all []kind.Package
	for arch, path := range map[string]string{
		"native": `SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall`,
		"x86":    `SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\Uninstall`,
	} {
		found, err := uninstallable(path, arch)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

func uninstallable(path, arch string) ([]kind.Package, error) {
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, path, registry.ENUMERATE_SUB_KEYS)
	if errors.Is(err, registry.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	defer key.Close()
	names, err := key.ReadSubKeyNames(-1)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	var all []kind.Package
	for _, name := range names {
		program, err := registry.OpenKey(registry.LOCAL_MACHINE, path+`\`+name, registry.QUERY_VALUE)
		if err != nil {
			continue // uninstalled since
		}
		shown, _, err := program.GetStringValue("DisplayName")
		version, _, _ := program.GetStringValue("DisplayVersion") // not every program has one
		if err == nil && shown != "" {
			all = append(all, kind.Package{Name: clean(shown), Version: clean(version), Arch: arch})
		}
		_ = program.Close() // only read
	}
	return all, nil
}
