package collect

import (
	"cmp"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	kind "assimilation/discovery/disks"
	"assimilation/discovery/internal/conffile"
	"assimilation/discovery/internal/order"
)

// Limits of the fact.
const (
	maxDevices = 4096
	sector     = 512 // bytes; sysfs counts in these whatever the disk does
)

// New returns a collector of the system whose files are under root.
func New(root fs.FS) *conffile.Collector {
	return conffile.New(conffile.Source{Kind: kind.Kind, Body: body}, root, "")
}

// Local returns the collector of this host.
func Local() *conffile.Collector { return New(os.DirFS("/")) }

// sysfs reads the devices of one collection.
type sysfs struct {
	*conffile.Reader
	facts kind.Facts
}

func body(r *conffile.Reader) any {
	s := sysfs{Reader: r}
	for _, name := range r.Dir("/sys/block") {
		s.disk(name)
	}
	order.By(s.facts.Devices, func(a, b *kind.Device) int { return cmp.Compare(a.Name, b.Name) })
	if s.facts.Devices == nil {
		s.facts.Devices = []kind.Device{}
	}
	return s.facts
}

// disk adds a device of /sys/block and its partitions.
func (s *sysfs) disk(name string) {
	dir := "/sys/block/" + name + "/"
	loop := s.Line(dir + "loop/backing_file")
	if strings.HasPrefix(name, "loop") && (loop == "" || strings.Contains(loop, "/snapd/")) || strings.HasPrefix(name, "ram") || s.Line(dir+"hidden") == "1" {
		return
	}
	d := kind.Device{
		Name: name, Type: "disk", On: s.Dir(dir + "slaves"), Mapped: s.Line(dir + "dm/name"),
		Serial: s.first(dir+"serial", dir+"device/serial"), WWN: s.first(dir+"wwid", dir+"device/wwid"),
	}
	if page, _ := s.File(dir + "device/vpd_pg80"); d.Serial == "" && len(page) > 4 { // SPC-4, 7.8.15: four bytes of header
		d.Serial = conffile.Clean(strings.TrimSpace(strings.Trim(page[4:], "\x00")))
	}
	if state := s.Line(dir + "device/state"); state != "running" && state != "live" {
		d.State = state
	}
	level := s.Line(dir + "md/level")
	switch {
	case level != "":
		d.Type = level
		s.array(name)
	case d.Mapped != "":
		d.Type = mapping(s.Line(dir + "dm/uuid"))
	case loop != "":
		d.Type = "loop"
	case s.Line(dir+"device/type") == "5": // SPC-4, 6.4.2: CD and DVD
		d.Type = "rom"
	}
	if !s.add(dir, d) {
		return
	}
	for _, part := range s.Dir(dir) {
		if strings.HasPrefix(part, name) && s.Line(dir+part+"/partition") != "" {
			s.add(dir+part+"/", kind.Device{Name: part, Type: "part", On: []string{name}})
		}
	}
}

// add completes a device and takes it; false for one without a size.
func (s *sysfs) add(dir string, d kind.Device) bool {
	sectors, err := strconv.ParseInt(s.Line(dir+"size"), 10, 64)
	if err != nil || sectors <= 0 || sectors > 1<<62/sector {
		return false
	}
	if len(s.facts.Devices) == maxDevices {
		s.Limit()
		return false
	}
	d.Bytes = sectors * sector
	d.ReadOnly = s.Line(dir+"ro") == "1"
	s.content(&d, s.Line(dir+"dev"))
	d.Name = conffile.Clean(d.Name)
	slices.Sort(d.On)
	s.facts.Devices = append(s.facts.Devices, d)
	return true
}

// content fills in what udev(7) found on a device, in its database of lines
// "E:NAME=VALUE": /dev/disk, which is made from that, is hidden from the probe by
// its unit.
func (s *sysfs) content(d *kind.Device, number string) {
	text, _ := s.File("/run/udev/data/b" + number)
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		value = conffile.Clean(value)
		switch name {
		case "E:ID_FS_TYPE":
			d.Content = value
		case "E:ID_FS_UUID":
			d.UUID = value
		case "E:ID_FS_LABEL":
			d.Label = value
		case "E:ID_PART_ENTRY_UUID":
			d.PartUUID = value
		}
	}
}

// mapping is the type of a mapped device by its uuid: "LVM-...", "CRYPT-...",
// "mpath-...", "part1-...".
func mapping(uuid string) string {
	prefix, _, _ := strings.Cut(uuid, "-")
	if prefix = strings.TrimRight(strings.ToLower(prefix), "0123456789"); prefix != "" {
		return conffile.Clean(prefix)
	}
	return "dm"
}

// array adds a RAID. Its array_state tells whether it was just written to, which
// is no fact.
func (s *sysfs) array(name string) {
	dir := "/sys/block/" + name + "/md/"
	a := kind.Array{Name: name, State: "active", Version: s.Line(dir + "metadata_version")}
	a.Disks, _ = strconv.ParseInt(s.Line(dir+"raid_disks"), 10, 64)
	action := s.Line(dir + "sync_action")
	switch state := s.Line(dir + "array_state"); {
	case state == "inactive" || state == "clear" || state == "broken":
		a.State = "inactive"
	case action == "recover" || action == "resync":
		a.State = "recovering"
	case action == "reshape":
		a.State = "reshaping"
	case s.Line(dir+"degraded") > "0":
		a.State = "degraded"
	}
	for _, entry := range s.Dir(dir) {
		member, is := strings.CutPrefix(entry, "dev-")
		if !is {
			continue
		}
		slot, err := strconv.ParseInt(s.Line(dir+entry+"/slot"), 10, 64)
		if err != nil { // "none"
			slot = -1
		}
		state, _, _ := strings.Cut(s.Line(dir+entry+"/state"), ",") // what follows the first word are errors seen and the like
		a.Members = append(a.Members, kind.Member{Name: member, State: state, Slot: slot})
	}
	s.facts.Arrays = append(s.facts.Arrays, a)
}

// first is the first of the files that says something.
func (s *sysfs) first(names ...string) string {
	for _, name := range names {
		if line := s.Line(name); line != "" {
			return line
		}
	}
	return ""
}
