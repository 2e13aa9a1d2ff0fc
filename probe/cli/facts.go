package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"slices"

	"assimilation/discovery"
	"assimilation/discovery/collectors"
	"assimilation/probe"
)

func factsFlags(set *flag.FlagSet, o *options) {
	outputFlag(set, o)
	discoveryFlags(set, o)
	set.BoolVar(&o.cost, "cost", false, "print what discovering each kind costs instead: bytes, processor time, memory")
}

// printedFact is one line of -o json.
type printedFact struct {
	Kind     string          `json:"kind"`
	Instance string          `json:"instance"`
	Version  int             `json:"version"`
	Hash     string          `json:"hash"`
	Bytes    int             `json:"bytes"`
	Body     json.RawMessage `json:"body"`
}

func facts(ctx context.Context, o *options, kinds []string) int {
	if !o.goodOutput() {
		return exitUsage
	}
	chosen, err := choose(ctx, collectors.All(o.discovery), kinds)
	if err != nil {
		fmt.Fprintln(o.Err, "assim-probe:", err)
		return exitUsage
	}
	if o.cost {
		return o.costs(ctx, chosen)
	}
	code := exitOK
	probe.Facts(ctx, chosen, func(kind discovery.Kind, facts []discovery.Fact, err error) {
		if err != nil {
			fmt.Fprintf(o.Err, "assim-probe: kind %s: %v\n", kind.Name, err)
			if len(facts) == 0 && !errors.Is(err, discovery.ErrNotYet) {
				code = exitWrong
			}
		}
		for _, f := range facts {
			if err := o.printFact(f); err != nil {
				code = o.fail(err)
			}
		}
	})
	return code
}

func choose(ctx context.Context, all []discovery.Collector, kinds []string) (chosen []discovery.Collector, err error) {
	all, refused := withMembers(ctx, all)
	var names []string
	for _, c := range all {
		name := c.Kind().Name
		names = append(names, name)
		if len(kinds) == 0 || slices.Contains(kinds, name) {
			chosen = append(chosen, c)
		}
	}
	for _, k := range kinds {
		switch {
		case slices.Contains(names, k):
		case discovery.IsScript(k) && refused != nil:
			return nil, fmt.Errorf("no kind %q; there are %v\n%w", k, names, refused)
		default:
			return nil, fmt.Errorf("no kind %q; there are %v", k, names)
		}
	}
	return chosen, nil
}

// withMembers adds to collectors those that they find, and says which were refused.
func withMembers(ctx context.Context, collectors []discovery.Collector) (all []discovery.Collector, refused error) {
	for _, c := range collectors {
		all = append(all, c)
		if family, ok := c.(discovery.Family); ok {
			_, err := family.Collect(ctx)
			refused = errors.Join(refused, err)
			all = append(all, family.Members()...)
		}
	}
	return all, refused
}

func (o *options) printFact(f discovery.Fact) error {
	if o.output == "json" {
		e := json.NewEncoder(o.Out)
		e.SetEscapeHTML(false) // the body as it is sent, byte for byte
		return e.Encode(printedFact{f.Kind, f.Instance, f.Version, f.Hash.String(), len(f.Body), f.Body})
	}
	var body bytes.Buffer
	if err := json.Indent(&body, f.Body, "", "  "); err != nil {
		return fmt.Errorf("printing fact %s/%s: %w", f.Kind, f.Instance, err)
	}
	_, err := fmt.Fprintf(o.Out, "%s instance=%q version=%d bytes=%d hash=%s\n%s\n\n", f.Kind, f.Instance, f.Version, len(f.Body), f.Hash, body.Bytes())
	return err
}
