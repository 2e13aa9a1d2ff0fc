package verdicts

import "assimilation/tenancy"

// tree is a verdict with those that it explains.
type tree struct {
	Verdict
	Explains []tree
}

// trees puts verdicts under their causes, where those are among them; the order
// stays. Causes that go in a circle, as only a broken relay would tell them, are
// roots.
func trees(items []Verdict) []tree {
	byID := make(map[tenancy.VerdictID]Verdict, len(items))
	for _, v := range items {
		byID[v.ID] = v
	}
	under := map[tenancy.VerdictID][]Verdict{}
	var roots []Verdict
	for _, v := range items {
		if hangs(v, byID) {
			under[*v.Cause] = append(under[*v.Cause], v)
		} else {
			roots = append(roots, v)
		}
	}
	var build func([]Verdict) []tree
	build = func(all []Verdict) (made []tree) {
		for _, v := range all {
			made = append(made, tree{v, build(under[v.ID])})
		}
		return made
	}
	return build(roots)
}

// hangs reports whether a verdict's causes, as far as they are known, lead to a
// root.
func hangs(v Verdict, byID map[tenancy.VerdictID]Verdict) bool {
	if v.Cause == nil {
		return false
	}
	if _, known := byID[*v.Cause]; !known {
		return false
	}
	for steps := 0; v.Cause != nil; steps++ {
		cause, known := byID[*v.Cause]
		if !known {
			return true
		}
		if steps == len(byID) {
			return false
		}
		v = cause
	}
	return true
}
