package ledger

import (
	"errors"
	"strings"

	"assimilation/discovery"
	"assimilation/wire"
)

// judge turns a collector's error, which may join several, into problems. The
// facts beside it are usable if it speaks of missing rights and of facts that
// the collector itself refused; any other error means that the look failed.
func judge(kind string, err error) (problems map[Key]Problem, usable bool) {
	problems, usable = map[Key]Problem{}, true
	var needs []string
	for _, leaf := range leaves(err) {
		if errors.Is(leaf, discovery.ErrNotYet) || errors.Is(leaf, discovery.ErrUnfinished) {
			usable = false
			continue
		}
		if degraded, ok := errors.AsType[*discovery.Degraded](leaf); ok {
			needs = append(needs, degraded.Error())
			continue
		}
		if invalid, ok := errors.AsType[*discovery.Invalid](leaf); ok {
			problems[Key{kind, invalid.Instance}] = refusalOf(invalid)
			continue
		}
		usable = false
		problems[Key{kind, ""}] = problem(wire.CollectFailed, leaf.Error())
	}
	if len(needs) > 0 && usable {
		problems[Key{kind, ""}] = problem(wire.MissingRight, strings.Join(needs, "; "))
	}
	return problems, usable
}

// leaves flattens errors.Join; it does not look into wrapped ones.
func leaves(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, leaves(e)...)
	}
	return all
}

func refusalOf(invalid *discovery.Invalid) Problem {
	if invalid.TooLarge {
		return problem(wire.TooLarge, invalid.Error())
	}
	return problem(wire.Malformed, invalid.Error())
}

func problem(reason wire.Reason, detail string) Problem {
	return Problem{reason, discovery.Clean(detail, wire.MaxDetail)}
}
