package discovery

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Told is one difference in words.
type Told struct {
	Op   Op     // Added, Removed or Changed
	Text string // as a person would say it: "openssl 3.0.15 -> 3.0.16 (amd64)"
	Full string // with the path, and all that tells it from others
}

// Said is how two bodies differ, in words.
type Said struct {
	Told []Told
	More int // differences that are not told
	// Whole says what a fact that came or went is, where its kind has words for
	// that: "Debian GNU/Linux 12 (bookworm), Linux 6.1.0-25-amd64".
	Whole string
	// Counts say how much is in the fact, or was in one that went.
	Counts []Count
}

// Count is how many items of a sort there are.
type Count struct {
	Noun string
	N    int
}

// String is "1 file", "412 files", "2 addresses".
func (c Count) String() string {
	if c.N == 1 {
		return "1 " + c.Noun
	}
	return strconv.Itoa(c.N) + " " + plural(c.Noun)
}

// Say tells in words what Diff lists. Fields that changed of one item are told
// together, and so is an item that only got another key (Words.Renewed).
func Say(kind Kind, old, new []byte) (Said, error) {
	changes, err := Diff(kind, old, new)
	if err != nil {
		return Said{}, err
	}
	var said Said
	said.Whole, said.Counts = sum(kind, old, new)
	renewed := renewals(kind, changes)
	for len(changes) > 0 {
		c := changes[0]
		if c.Op == More {
			n, _ := strconv.Atoi(c.New) // written by Diff as a number
			said.More += n
			changes = changes[1:]
			continue
		}
		n := 1
		for n < len(changes) && changes[n].within == c.within {
			n++
		}
		run := changes[:n]
		changes = changes[n:]
		if other, is := renewed[c.within]; is {
			if other != nil { // else it was told where the new one stands
				said.Told = append(said.Told, other...)
			}
			continue
		}
		said.Told = append(said.Told, tell(kind, run)...)
	}
	return said, nil
}

// tell says what happened within one item, or outside lists.
func tell(kind Kind, run []Change) (all []Told) {
	c, w := run[0], kind.words(run[0].within.list)
	if c.Field == "" {
		text := ""
		if w != nil && c.Op == Added {
			text, _ = fill(w.Added, c)
		} else if w != nil {
			text, _ = fill(w.Removed, c)
		}
		if text == "" {
			text = cameOrWent(noun(w, c.within.list), c)
		}
		return []Told{told(c.Op, text, run)}
	}
	if w != nil {
		for _, t := range w.Changed {
			text, fields := changed(t, run)
			if text == "" {
				continue
			}
			mine, rest := split(run, fields)
			all, run = append(all, told(Changed, text, mine)), rest
		}
	}
	if c.within.list == "" {
		for i := range run {
			all = append(all, told(run[i].Op, outside(run[i]), run[i:i+1]))
		}
		return all
	}
	if len(run) > 0 {
		all = append(all, told(Changed, stayed(noun(w, c.within.list), run), run))
	}
	return all
}

// changed fills a template, if it is about one of the changes, and names the
// fields that it tells of.
func changed(template string, run []Change) (text string, fields []string) {
	all, err := slots(template)
	if err != nil || !slices.ContainsFunc(run, func(c Change) bool { return c.field == firstArrow(all) }) {
		return "", nil
	}
	return fill(template, run[0])
}

func split(run []Change, fields []string) (mine, rest []Change) {
	for _, c := range run {
		if slices.Contains(fields, c.field) {
			mine = append(mine, c)
		} else {
			rest = append(rest, c)
		}
	}
	return mine, rest
}

func told(op Op, text string, run []Change) Told {
	full := make([]string, len(run))
	for i, c := range run {
		full[i] = c.String()
	}
	return Told{op, clip(Clean(text, len(text))), clip(Clean(strings.Join(full, "; "), 4*maxChangeText))}
}

// renewals finds items that went while one of the same title came to the same
// list. The one that came is told as the two together, the one that went not at
// all.
func renewals(kind Kind, changes []Change) map[*versions][]Told {
	type place struct{ list, of, title string }
	gone, came := map[place][]Change{}, map[place][]Change{}
	for _, c := range changes {
		if c.Op == More || c.Field != "" {
			continue
		}
		at := place{c.within.list, c.Of, c.within.title}
		if w := kind.words(at.list); w == nil || len(w.Renewed) == 0 {
			continue
		}
		if c.Op == Removed {
			gone[at] = append(gone[at], c)
		} else {
			came[at] = append(came[at], c)
		}
	}
	out := map[*versions][]Told{}
	for at, old := range gone {
		if len(old) != 1 || len(came[at]) != 1 { // which of them became which is not known
			continue
		}
		was, is := old[0], came[at][0]
		both := is
		both.within = &versions{at.list, at.title, was.within.was, is.within.is}
		for _, t := range kind.words(at.list).Renewed {
			all, err := slots(t)
			if first := firstArrow(all); err != nil || show(both.within.was[first], 0) == show(both.within.is[first], 0) {
				continue
			}
			if text, _ := fill(t, both); text != "" {
				out[is.within], out[was.within] = []Told{told(Changed, text, []Change{was, is})}, nil
				break
			}
		}
	}
	return out
}

// sum says what a fact is that was not there before, or how much was in one that
// went.
func sum(kind Kind, old, new []byte) (whole string, counts []Count) {
	body, err := decodeBody(new)
	if len(new) == 0 {
		body, err = decodeBody(old)
	}
	if err != nil {
		return "", nil
	}
	if w := kind.words(""); w != nil && w.Added != "" {
		whole, _ = fill(w.Added, Change{Op: Added, within: &versions{is: body}})
	}
	names := make([]string, 0, len(body))
	for name := range body {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		list, is := body[name].([]any)
		w := kind.words(name)
		if is && (isItems(list) || w != nil) && len(list) > 0 {
			counts = append(counts, Count{noun(w, name), len(list)})
		}
	}
	return clip(whole), counts
}

// Sum joins counts of several facts of a kind: "412 files, 3 bundles".
func Sum(counts []Count) string {
	var nouns []string
	n := map[string]int{}
	for _, c := range counts {
		if n[c.Noun] == 0 {
			nouns = append(nouns, c.Noun)
		}
		n[c.Noun] += c.N
	}
	for i, noun := range nouns {
		nouns[i] = fmt.Sprint(Count{noun, n[noun]})
	}
	return strings.Join(nouns, ", ")
}
