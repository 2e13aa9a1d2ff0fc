package truth

import (
	"fmt"
	"os"
	"strings"

	"assimilation/discovery/disks"
)

// readContents asks what lies on block devices, and what they are called. What
// lies there the probe knows from udev only.
func readContents(r Reading) error {
	var table struct {
		Devices []struct {
			Name     string `json:"kname"`
			Type     string `json:"type"`
			Size     int64  `json:"size"`
			Serial   string `json:"serial"`
			ReadOnly bool   `json:"ro"`
			Parent   string `json:"pkname"`
			Mounted  string `json:"mountpoint"`
		} `json:"blockdevices"`
	}
	if err := outputJSON(&table, "lsblk", "-abJl", "-o", "KNAME,TYPE,SIZE,SERIAL,RO,PKNAME,MOUNTPOINT"); err != nil {
		return err
	}
	for _, d := range table.Devices {
		if d.Size == 0 || strings.HasPrefix(d.Name, "ram") {
			continue
		}
		into := r.Must
		if d.Type == "loop" && d.Mounted == "" { // they come and go with what they show
			into = r.May
		}
		if d.ReadOnly {
			into.add(Contents, d.Name+" read-only")
		}
		serial := d.Serial // lsblk has it from udev
		if text, err := os.ReadFile("/sys/block/" + d.Name + "/serial"); err == nil && serial == "" {
			serial = strings.TrimSpace(string(text))
		}
		if serial != "" {
			into.add(Contents, d.Name+" serial "+serial)
		}
		if d.Parent != "" {
			into.add(Contents, d.Name+" on "+d.Parent)
		}
		if _, err := os.Stat("/run/udev/data"); err != nil {
			into = r.May
		}
		out, err := optional("blkid", "-p", "-o", "export", "/dev/"+d.Name)
		if err != nil {
			return err
		}
		for line := range strings.Lines(out) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			if what := map[string]string{"TYPE": "content", "UUID": "uuid", "LABEL": "label", "PART_ENTRY_UUID": "part uuid"}[name]; what != "" {
				into.add(Contents, fmt.Sprint(d.Name, " ", what, " ", value))
			}
		}
	}
	return nil
}

func serviceContents(assim, host string, r Records) error {
	facts, err := bodies[disks.Facts](assim, host, disks.Kind.Name)
	if err != nil {
		return err
	}
	for _, f := range facts {
		for _, d := range f.Devices {
			if d.ReadOnly {
				r.add(Contents, d.Name+" read-only")
			}
			for what, value := range map[string]string{"serial": d.Serial, "content": d.Content, "uuid": d.UUID, "label": d.Label, "part uuid": d.PartUUID} {
				if value != "" {
					r.add(Contents, fmt.Sprint(d.Name, " ", what, " ", value))
				}
			}
			for _, on := range d.On {
				r.add(Contents, d.Name+" on "+on)
			}
		}
	}
	return nil
}
