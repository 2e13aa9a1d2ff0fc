package cli

import (
	"flag"
	"fmt"
	"os"
	"strings"
)

// labels are name=value pairs; a later one wins.
type labels map[string]string

func (l labels) add(text string) error {
	name, value, ok := strings.Cut(text, "=")
	if name = strings.TrimSpace(name); !ok || name == "" {
		return fmt.Errorf("label %q is not name=value", text)
	}
	l[name] = strings.TrimSpace(value)
	return nil
}

func labelFlag(set *flag.FlagSet, o *options) {
	o.labels = labels{}
	set.Func("label", "name=value, any number: zone, rack, room, building place this host (ASSIM_LABELS, by comma)", o.labels.add)
}

// allLabels are those of the environment and of the flags, which win.
func (o *options) allLabels() (map[string]string, error) {
	all := labels{}
	for _, text := range strings.Split(os.Getenv("ASSIM_LABELS"), ",") {
		if strings.TrimSpace(text) == "" {
			continue
		}
		if err := all.add(text); err != nil {
			return nil, fmt.Errorf("ASSIM_LABELS: %w", err)
		}
	}
	for name, value := range o.labels {
		all[name] = value
	}
	return all, nil
}
