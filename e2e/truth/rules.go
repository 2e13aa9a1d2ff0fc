package truth

import (
	"fmt"
	"regexp"
	"strings"

	"assimilation/discovery/firewall"
)

// expression is one step of a rule as nft --debug=netlink prints it.
var expression = regexp.MustCompile(`^\s+\[ (\w+)(?: reg 0 (\w+))?`)

// readRules asks nft for the steps of every rule, which the kernel runs, and what
// the older iptables has beside. A record is a rule's place in its chain, the names
// of its steps and what it decides.
func readRules(r Reading) error {
	out, err := r.ask(Rules, "nft", "--debug=netlink", "list", "ruleset")
	if err != nil {
		return err
	}
	rules := map[string]int{} // by chain
	place, steps := "", []string(nil)
	flush := func() {
		if place != "" && len(steps) > 0 {
			r.Must.add(Rules, ruleRecord(place, rules[place], steps))
			rules[place]++
		}
		steps = nil
	}
	for line := range strings.Lines(out) {
		words := strings.Fields(line)
		switch step := expression.FindStringSubmatch(line); {
		case step != nil:
			steps = append(steps, strings.TrimSpace(step[1]+" "+step[2]))
		case strings.HasPrefix(line, "table "): // from here on for people
			flush()
			place = ""
		case len(words) >= 4 && !strings.HasPrefix(line, " ") && !strings.HasPrefix(line, "\t"):
			flush()
			place = strings.Join(words[:3], " ") // and handles
		}
	}
	flush()
	for family, save := range map[string]string{"ip": "iptables-legacy-save", "ip6": "ip6tables-legacy-save"} {
		out, err := optional(save)
		if err != nil {
			return err
		}
		for line := range strings.Lines(out) {
			if table, ok := strings.CutPrefix(strings.TrimSpace(line), "*"); ok {
				r.Must.add(Rules, "older "+family+" "+table)
			}
		}
	}
	return readIptables(r)
}

// readIptables counts the rules of what iptables shows as its own chains.
func readIptables(r Reading) error {
	for family, save := range map[string]string{"ip": "iptables-nft-save", "ip6": "ip6tables-nft-save"} {
		out, err := optional(save)
		if err != nil {
			return err
		}
		table, rules := "", map[string]int{}
		for line := range strings.Lines(out) {
			words := strings.Fields(line)
			switch {
			case strings.HasPrefix(line, "*"):
				table = strings.TrimSpace(line[1:])
			case len(words) > 1 && words[0] == "-A":
				rules[table+" "+words[1]]++
			}
		}
		for chain, n := range rules {
			r.Must.add(Rules, iptablesRecord(family, chain, n))
		}
	}
	return nil
}

func ruleRecord(place string, n int, steps []string) string {
	return fmt.Sprintf("%s, rule %d: %s", place, n, strings.Join(steps, ", "))
}

func iptablesRecord(family, chain string, rules int) string {
	return fmt.Sprintf("iptables %s %s: %d rules", family, chain, rules)
}

// iptablesNames are the tables that iptables knows; what others made under these
// names it does not show.
var iptablesNames = map[string]bool{"filter": true, "nat": true, "mangle": true, "raw": true, "security": true}

func serviceRules(assim, host string, r Records) error {
	facts, err := bodies[firewall.Facts](assim, host, firewall.Kind.Name)
	if err != nil {
		return err
	}
	for _, f := range facts {
		if f.Legacy {
			r.add(Rules, "older "+f.Family+" "+f.Name)
		}
		for _, c := range f.Chains {
			for i, rule := range c.Rules {
				var steps []string
				for step := range strings.SplitSeq(rule.Text, "; ") {
					name, arguments, _ := strings.Cut(step, " ")
					if verdict, ok := strings.CutPrefix(arguments, "dreg=0 data="); ok && name == "immediate" {
						verdict, _, _ = strings.Cut(verdict, " ")
						name += " " + verdict
					}
					steps = append(steps, name)
				}
				r.add(Rules, ruleRecord(f.Family+" "+f.Name+" "+c.Name, i, steps))
			}
			if (f.Family == "ip" || f.Family == "ip6") && iptablesNames[f.Name] && len(c.Rules) > 0 {
				r.add(Rules, iptablesRecord(f.Family, f.Name+" "+c.Name, len(c.Rules)))
			}
		}
	}
	return nil
}
