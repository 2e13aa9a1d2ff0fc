package changes

import (
	"strings"

	"assimilation/discovery"
	"assimilation/discovery/packages"
	"assimilation/discovery/sockets"
)

// words says a difference as a person would: "openssl 3.0.15 -> 3.0.16 (amd64)",
// "tcp 10.0.0.1:443 opened by nginx". What is not common is said by its path.
func words(kind string, c discovery.Change) string {
	said := ""
	switch {
	case kind == packages.Kind.Name && c.Path == "packages" && c.Op != discovery.More:
		said = ofPackage(c)
	case kind == sockets.Kind.Name && c.Op != discovery.More:
		said = ofSocket(c)
	}
	if said == "" {
		return c.String()
	}
	return said
}

func ofPackage(c discovery.Change) string {
	name, arch := c.Item, ""
	if i := strings.LastIndex(c.Item, " "); i > 0 {
		name, arch = c.Item[:i], " ("+c.Item[i+1:]+")"
	}
	switch {
	case c.Op == discovery.Added:
		return name + " " + scalar(c.New, "version") + " installed" + arch
	case c.Op == discovery.Removed:
		return name + " " + scalar(c.Old, "version") + " removed" + arch
	case c.Field == "version":
		return name + " " + c.Old + " -> " + c.New + arch
	}
	return ""
}

func ofSocket(c discovery.Change) string {
	if c.Field != "" {
		return ""
	}
	opened := c.Op == discovery.Added
	switch c.Path {
	case "services":
		if opened {
			return short(c.Item) + " started to listen or connect"
		}
		return short(c.Item) + " no longer listens or connects"
	case "services[].listens":
		if opened {
			return c.Item + " opened by " + short(c.Of)
		}
		return c.Item + " closed by " + short(c.Of)
	case "services[].connects":
		if opened {
			return c.Item + " is used by " + short(c.Of)
		}
		return c.Item + " is no longer used by " + short(c.Of)
	}
	return ""
}

// short is an item's title without what tells it from others of the same.
func short(title string) string {
	name, _, _ := strings.Cut(title, " (")
	return name
}

// scalar finds the value of the field that comes last in "arch=all version=1".
func scalar(fields, name string) string {
	fields = " " + fields
	i := strings.LastIndex(fields, " "+name+"=")
	if i < 0 {
		return ""
	}
	return fields[i+len(name)+2:]
}
