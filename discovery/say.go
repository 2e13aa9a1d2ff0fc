package discovery

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
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
// together, and what an item that came or went has in lists without words of
// their own is not told beside it.
func Say(kind Kind, old, new []byte) (Said, error) {
	changes, err := Diff(kind, old, new)
	if err != nil {
		return Said{}, err
	}
	var said Said
	said.Whole, said.Counts = sum(kind, old, new)
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
		said.Told = append(said.Told, tell(kind, run)...)
	}
	return said, nil
}

// tell says what happened within one item, or outside lists.
func tell(kind Kind, run []Change) (all []Told) {
	c, w := run[0], kind.words(run[0].within.list)
	if c.part && (w == nil || w.Quiet) {
		return nil
	}
	if c.Field == "" {
		text := ""
		if w != nil && c.Op == Added {
			text, _ = fill(w, w.Added, c)
		} else if w != nil {
			text, _ = fill(w, w.Removed, c)
		}
		if text == "" {
			text = cameOrWent(noun(w, c.within.list), c)
		}
		return []Told{told(c.Op, text, run)}
	}
	if w == nil {
		return generally(nil, run)
	}
	along, alone := split(run, w.Along)
	if len(alone) == 0 {
		alone = along
	}
	for _, t := range w.Changed {
		text, fields := changed(w, t, alone)
		if text == "" {
			continue
		}
		mine, rest := split(alone, fields)
		all, alone = append(all, told(Changed, text, mine)), rest
	}
	return append(all, generally(w, alone)...)
}

// generally tells of fields that no template tells of.
func generally(w *Words, run []Change) (all []Told) {
	if len(run) == 0 {
		return nil
	}
	if list := run[0].within.list; list != "" {
		return []Told{told(Changed, stayed(noun(w, list), run), run)}
	}
	for i := range run {
		all = append(all, told(run[i].Op, outside(run[i]), run[i:i+1]))
	}
	return all
}

// changed fills a template, if it is about one of the changes, and names the
// fields that it tells of.
func changed(w *Words, template string, run []Change) (text string, fields []string) {
	all, err := slots(template)
	if err != nil || !slices.ContainsFunc(run, func(c Change) bool { return c.field == firstArrow(all) }) {
		return "", nil
	}
	return fill(w, template, run[0])
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
	return Told{op, clip(plain(text)), clip(plain(strings.Join(full, "; ")))}
}

// plain takes out what whoever reads a text obeys rather than shows: control
// characters, and those that turn the direction of what follows. Bodies come from
// hosts, and may hold any.
func plain(text string) string {
	return Clean(strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Bidi_Control, r) {
			return '\uFFFD'
		}
		return r
	}, text), 4*maxChangeText)
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
		whole, _ = fill(w, w.Added, Change{Op: Added, within: &versions{is: body}})
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
	return clip(plain(whole)), counts
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
