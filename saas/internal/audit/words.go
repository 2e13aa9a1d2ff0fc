package audit

import (
	"maps"
	"slices"
)

// differences says what was and what is, by name: "role viewer -> admin".
func differences(before, after map[string]string) (words []string) {
	names := map[string]bool{}
	for name := range before {
		names[name] = true
	}
	for name := range after {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		was, had := before[name]
		is, has := after[name]
		switch {
		case had && has && was == is:
		case was == "" && is == "":
		case was == "":
			words = append(words, name+" "+is)
		case is == "" && !has:
			words = append(words, name+" was "+was)
		case is == "":
			words = append(words, name+" "+was+" -> none")
		default:
			words = append(words, name+" "+was+" -> "+is)
		}
	}
	return words
}

func pairs(detail map[string]string) (words []string) {
	for _, name := range slices.Sorted(maps.Keys(detail)) {
		if detail[name] != "" {
			words = append(words, name+" "+detail[name])
		}
	}
	return words
}
