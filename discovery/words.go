package discovery

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Words is how people speak of the items of one list, or of what stands outside
// lists. What has no words is told by its path.
//
// Added, Removed, Changed and Renewed are templates. {name} stands for a field of
// the item as it is, or as it was before it went, {item} for its title, {of} for
// the title of the item around its list; {name:8} is cut to 8 characters, and
// {name:size} bytes in larger units; {name->} is "old -> new", and {name?on|off}
// one of the two for a flag that was set or taken back. What stands in [brackets]
// is left out when a slot within has nothing to say.
type Words struct {
	List    string // path: "services[].listens", also of a list of scalars, of which the only field is "item"; "" is outside lists
	Noun    string // for one item: "listener"; by default the list's name without its "s"
	Added   string
	Removed string
	// Changed holds templates for an item that stayed. One applies when the field of
	// its first arrow changed, and tells of all of its arrows.
	Changed []string
	// Along names fields that are told of only when no other of the item changed.
	Along []string
	// Renews: an item that went while one of the same title came is told as one that
	// changed.
	Renews bool
	// Quiet: what comes or goes with the item around the list is not told.
	Quiet bool
	// Spelled are values as people write them, where the fact has lower case.
	Spelled []string
}

// words finds what is said of a list.
func (k Kind) words(list string) *Words {
	for i := range k.Words {
		if k.Words[i].List == list {
			return &k.Words[i]
		}
	}
	return nil
}

// noun is what one item of a list is called.
func noun(w *Words, list string) string {
	if w != nil && w.Noun != "" {
		return w.Noun
	}
	name := list[strings.LastIndexAny(list, ".]")+1:]
	return strings.ReplaceAll(strings.TrimSuffix(name, "s"), "_", " ")
}

// plural is the word for several.
func plural(noun string) string {
	last := func(ends ...string) bool {
		for _, end := range ends {
			if strings.HasSuffix(noun, end) {
				return true
			}
		}
		return false
	}
	switch {
	case last("ay", "ey", "oy"):
	case last("y"):
		return strings.TrimSuffix(noun, "y") + "ies"
	case last("s", "x", "ch", "sh"):
		return noun + "es"
	}
	return noun + "s"
}

// slot is one {...} of a template.
type slot struct {
	name    string
	cut     int // characters, 0 for all
	size    bool
	arrow   bool
	on, off string // of a flag's arrow
}

func parseSlot(text string) (s slot, err error) {
	text, s.arrow = strings.CutSuffix(text, "->")
	if flag, states, is := strings.Cut(text, "?"); is {
		s.arrow, text = true, flag
		if s.on, s.off, is = strings.Cut(states, "|"); !is {
			return s, fmt.Errorf("slot {%s?%s} does not say both states", flag, states)
		}
	}
	name, cut, has := strings.Cut(text, ":")
	s.name, s.size = name, cut == "size"
	if has && !s.size {
		if _, err := fmt.Sscanf(cut, "%d", &s.cut); err != nil || s.cut < 1 {
			return s, fmt.Errorf("slot {%s}: %q is no number of characters", text, cut)
		}
	}
	if name == "" {
		return s, fmt.Errorf("slot {%s} names no field", text)
	}
	return s, nil
}

// template calls fixed for each piece of text and fill for each slot, in their
// order; open and close surround what is in brackets.
func template(text string, fixed func(string), fill func(slot), open, close func()) error {
	inside := false
	for text != "" {
		i := strings.IndexAny(text, "{[]")
		if i < 0 {
			fixed(text)
			break
		}
		fixed(text[:i])
		mark := text[i]
		text = text[i+1:]
		switch {
		case mark == '{':
			name, rest, ended := strings.Cut(text, "}")
			if !ended {
				return fmt.Errorf("{%s is not ended", name)
			}
			s, err := parseSlot(name)
			if err != nil {
				return err
			}
			fill(s)
			text = rest
		case (mark == '[') == inside:
			return fmt.Errorf("bracket at %q stands alone or in another", text)
		case mark == '[':
			inside = true
			open()
		default:
			inside = false
			close()
		}
	}
	if inside {
		return fmt.Errorf("bracket is not ended")
	}
	return nil
}

// slots lists a template's slots.
func slots(text string) (all []slot, err error) {
	err = template(text, func(string) {}, func(s slot) { all = append(all, s) }, func() {}, func() {})
	return all, err
}

// CheckWords reports a list that the kind does not have, and a template that is
// none or names what its items do not have.
func CheckWords(k Kind) error {
	fields, err := Describe(k)
	if err != nil {
		return err
	}
	known := map[string]Field{"": {Shape: Items}}
	for _, f := range fields {
		known[f.Path] = f
	}
	for _, w := range k.Words {
		list, ok := known[w.List]
		if !ok || list.Shape != Items && list.Shape != List {
			return fmt.Errorf("kind %s has no list %q to have words for", k.Name, w.List)
		}
		prefix := ""
		if w.List != "" {
			prefix = w.List + "[]."
		}
		for _, text := range append([]string{w.Added, w.Removed}, w.Changed...) {
			all, err := slots(text)
			if err != nil {
				return fmt.Errorf("kind %s, list %q: %q: %w", k.Name, w.List, text, err)
			}
			for _, s := range all {
				_, has := known[prefix+s.name]
				if !has && s.name != "item" && s.name != "of" {
					return fmt.Errorf("kind %s, list %q: %q names %q, which its items do not have", k.Name, w.List, text, s.name)
				}
			}
		}
		for _, text := range w.Changed {
			if all, err := slots(text); err != nil || firstArrow(all) == "" {
				return fmt.Errorf("kind %s, list %q: %q has no arrow", k.Name, w.List, text)
			}
		}
	}
	return nil
}

func firstArrow(all []slot) string {
	for _, s := range all {
		if s.arrow {
			return s.name
		}
	}
	return ""
}

// cutTo shortens a value to a number of characters.
func cutTo(value string, characters int) string {
	if characters == 0 || utf8.RuneCountInString(value) <= characters {
		return value
	}
	return string([]rune(value)[:characters]) + "…"
}

// inUnits is a number of bytes in the largest unit that it fills (IEC 80000-13).
func inUnits(value string) string {
	n, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return value
	}
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	unit := 0
	for n >= 1024 && unit < len(units)-1 {
		n, unit = n/1024, unit+1
	}
	return strconv.FormatFloat(n, 'f', min(unit, 1), 64) + " " + units[unit]
}
