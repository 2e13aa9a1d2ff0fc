// Package setting is what the bodies of many kinds are made of: names with values,
// each from a file.
package setting

import (
	"strings"

	"assimilation/discovery/internal/order"
)

// Setting is one name and its value.
type Setting struct {
	Name   string `json:"name" class:"internal"`
	Value  string `json:"value" class:"internal"`
	Source string `json:"source,omitempty" class:"internal"` // the file, where there may be several
}

// Max is how many settings a list takes.
const Max = 4096

// Put sets a name, to which an earlier value gives way. A list that is full takes
// no more names.
func Put(list []Setting, name, value, source string) []Setting {
	for i := range list {
		if list[i].Name == name {
			list[i].Value, list[i].Source = value, source
			return list
		}
	}
	if len(list) == Max {
		return list
	}
	return append(list, Setting{name, value, source})
}

// Sort orders settings by name.
func Sort(list []Setting) []Setting {
	order.By(list, func(a, b *Setting) int { return strings.Compare(a.Name, b.Name) })
	return list
}
