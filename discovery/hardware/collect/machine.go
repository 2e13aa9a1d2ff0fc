package collect

import (
	"io/fs"
	"strings"

	"assimilation/discovery"
	kind "assimilation/discovery/hardware"
)

// readMachine reads what the firmware says.
func readMachine(files *reader) kind.Machine {
	const dir = "sys/class/dmi/id/"
	const hidden = "the machine's serial number and UUID"
	m := kind.Machine{
		Vendor:          named(files.line(dir + "sys_vendor")),
		Product:         named(files.line(dir + "product_name")),
		Version:         named(files.line(dir + "product_version")),
		Serial:          named(files.secret(dir+"product_serial", hidden)),
		UUID:            named(strings.ToLower(files.secret(dir+"product_uuid", hidden))),
		FirmwareVendor:  named(files.line(dir + "bios_vendor")),
		FirmwareVersion: named(files.line(dir + "bios_version")),
		FirmwareDate:    named(files.line(dir + "bios_date")),
	}
	if m == (kind.Machine{}) {
		const tree = "sys/firmware/devicetree/base/"
		m.Product = named(files.line(tree + "model"))
		m.Serial = named(files.line(tree + "serial-number"))
	}
	return m
}

// named drops what vendors write where they have nothing to say.
func named(value string) string {
	switch strings.ToLower(strings.Trim(value, " .")) {
	case "to be filled by o.e.m", "default string", "not specified", "not applicable", "not available", "none", "n/a", "oem",
		"o.e.m", "system manufacturer", "system product name", "system version", "system serial number", "0", "00000000",
		"0123456789", "123456789", "unknown", "empty", "x.x", "00000000-0000-0000-0000-000000000000",
		"ffffffff-ffff-ffff-ffff-ffffffffffff", "03000200-0400-0500-0006-000700080009":
		return ""
	}
	return value
}

// maxDisks bounds the list of disks: a host with many paths to its storage has
// thousands of block devices.
const maxDisks = 256

// sectorSize is the unit of /sys/block/*/size, whatever the disk's own.
const sectorSize = 512

// readDisks lists the block devices that have a device behind them.
func readDisks(files *reader) []kind.Disk {
	entries, err := fs.ReadDir(files.root, "sys/block") // in the order of their names
	if err != nil {
		return nil
	}
	var disks []kind.Disk
	for _, e := range entries {
		dir := "sys/block/" + e.Name() + "/"
		sectors := files.number(dir + "size")
		if !files.exists(dir+"device") || sectors == 0 || sectors > 1<<53 || files.number(dir+"removable") != 0 {
			continue
		}
		if len(disks) == maxDisks {
			files.problem(&discovery.Degraded{What: "more than 256 disks: the others are left out"})
			break
		}
		disks = append(disks, kind.Disk{
			Name:       clean(e.Name()),
			Bytes:      sectors * sectorSize,
			Model:      files.line(dir + "device/model"),
			Rotational: files.number(dir+"queue/rotational") != 0,
		})
	}
	return disks
}
