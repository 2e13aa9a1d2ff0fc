package tenancytest

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"assimilation/tenancy"
)

// Permit is what a route must ask of who comes, as people wrote it down: the suite
// believes nothing that the service says of its own guards.
type Permit struct {
	Anyone bool         // needs nobody
	Role   tenancy.Role // in the whole tenant; "" where whoever is known may
	AtSite tenancy.Role // enough at a single site; "" where no site gives the right
	// Proof: in a browser, a secret was shown a short while ago. Personal: neither for
	// tokens nor for single sign-on. Entering: also for who owes a second factor.
	Proof, Personal, Entering bool
}

// String is how a list of permits writes it.
func (p Permit) String() string {
	if p.Anyone {
		return "anyone"
	}
	words := []string{"known"}
	if p.Role != "" {
		words[0] = string(p.Role)
	}
	if p.AtSite != "" {
		words = append(words, "site:"+string(p.AtSite))
	}
	for _, w := range []struct {
		is   bool
		name string
	}{{p.Proof, "proof"}, {p.Personal, "personal"}, {p.Entering, "entering"}} {
		if w.is {
			words = append(words, w.name)
		}
	}
	return strings.Join(words, " ")
}

// PermitOf is what the service asks for an action.
func PermitOf(action tenancy.Action) Permit {
	right, ok := tenancy.RightFor(action)
	if !ok {
		return Permit{Anyone: true}
	}
	return Permit{Role: right.Role, AtSite: right.AtSite, Proof: right.Proof, Personal: right.Personal, Entering: right.Entering}
}

// ReadPermits reads a list: a route and its permit on each line, with a tab between.
func ReadPermits(r io.Reader) (map[string]Permit, error) {
	all := map[string]Permit{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := lines.Text()
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		route, text, ok := strings.Cut(line, "\t")
		if !ok {
			return nil, fmt.Errorf("no tab in %q", line)
		}
		p, err := parsePermit(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("route %s: %w", route, err)
		}
		all[strings.TrimSpace(route)] = p
	}
	return all, lines.Err()
}

func parsePermit(text string) (p Permit, err error) {
	for i, word := range strings.Fields(text) {
		site, isSite := strings.CutPrefix(word, "site:")
		switch {
		case i == 0 && word == "anyone":
			p.Anyone = true
		case i == 0 && word == "known":
		case i == 0:
			p.Role, err = tenancy.ParseRole(word)
		case isSite:
			p.AtSite, err = tenancy.ParseRole(site)
		case word == "proof":
			p.Proof = true
		case word == "personal":
			p.Personal = true
		case word == "entering":
			p.Entering = true
		default:
			err = fmt.Errorf("%q is not a word of permits", word)
		}
		if err != nil {
			return Permit{}, err
		}
	}
	return p, nil
}
