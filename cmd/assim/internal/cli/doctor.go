package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"assimilation/cmd/assim/internal/client"
	contexts "assimilation/cmd/assim/internal/context"
	"assimilation/cmd/assim/internal/output"
)

// maxSkew is how far this machine's clock may be from the service's: beyond it
// times in answers mislead, and certificates may seem not to be valid yet.
const maxSkew = 30 * time.Second

// check is one thing that the doctor looked at.
type check struct {
	Check string `json:"check"`
	State string `json:"state"` // ok, attention, wrong
	Found string `json:"found"`
	Do    string `json:"do"` // what to do about it
}

// errUnwell is the error of a doctor that found something wrong.
var errUnwell = errors.New("something is wrong")

func (s *session) doctor() *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Check this machine's access and the state of the estate, and say what to do", Args: arguments(0, 0),
		Long: `Check the context, whether the service answers, the token, this machine's clock,
the relays, the hosts' states and open findings. What is wrong is named in words.

The exit code is 0 unless something is wrong (1); what only deserves attention,
as a host that is down or a finding, does not change it.`,
		Example: `  assim doctor
  assim doctor -o json
  assim doctor --context production`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			checks := s.examine(cmd.Context())
			var rows []json.RawMessage
			wrong := false
			for _, c := range checks {
				wrong = wrong || c.State == "wrong"
				row, err := json.Marshal(c)
				if err != nil {
					return fmt.Errorf("encoding a check: %w", err)
				}
				rows = append(rows, row)
			}
			if s.format == output.Table {
				printChecks(s.out, checks)
			} else if err := output.List(s.out, s.format, []string{"check", "state", "found", "do"}, rows); err != nil {
				return err
			}
			if wrong {
				return errUnwell
			}
			return nil
		},
	}
}

// printChecks writes what to do under what was found.
func printChecks(w io.Writer, checks []check) {
	for _, c := range checks {
		fmt.Fprintf(w, "%-10s %-9s %s\n", c.State, c.Check, output.Printable(c.Found))
		if c.Do != "" {
			fmt.Fprintf(w, "%-10s %-9s -> %s\n", "", "", output.Printable(c.Do))
		}
	}
}

// examine looks at one thing after the other, and no further than makes sense.
func (s *session) examine(ctx context.Context) (all []check) {
	say := func(name, state, found, do string) { all = append(all, check{name, state, found, do}) }
	path, err := contexts.Path()
	var file *contexts.File
	if err == nil {
		file, err = contexts.Load(path)
	}
	var known contexts.Context
	if err == nil {
		known, err = file.Get(s.context)
	}
	if err != nil {
		say("context", "wrong", err.Error(), "log in: assim login --url URL --email ADDRESS")
		return all
	}
	say("context", "ok", fmt.Sprintf("%s at %s, from %s", known.Tenant, known.URL, path), "")
	service, err := client.New(known.URL, known.Token)
	if err != nil {
		say("service", "wrong", err.Error(), "log in again with the right --url")
		return all
	}
	before := time.Now()
	clock, err := service.Clock(ctx)
	if err != nil {
		say("service", "wrong", err.Error(), "check the address, the network, and the proxy variables; then that assim-saas runs")
		return all
	}
	took := time.Since(before)
	say("service", "ok", fmt.Sprintf("answers in %d ms", took.Milliseconds()), "")
	all = append(all, clockCheck(clock, before.Add(took/2)))

	var who struct {
		Email, Role string
		Tenant      struct{ Name string }
	}
	if err := service.Do(ctx, "GET", "/v1/whoami", nil, nil, &who); err != nil {
		say("token", "wrong", err.Error(), "log in again: assim login --url "+known.URL+" --email ADDRESS")
		return all
	}
	say("token", "ok", fmt.Sprintf("%s, %s of %s", who.Email, who.Role, who.Tenant.Name), "")
	return append(all, relayCheck(ctx, service), hostCheck(ctx, service), findingCheck(ctx, service))
}

func clockCheck(theirs, ours time.Time) check {
	skew := ours.Sub(theirs).Round(time.Second)
	if skew.Abs() <= maxSkew {
		return check{"clock", "ok", "within " + maxSkew.String() + " of the service's", ""}
	}
	way := "ahead of"
	if skew < 0 {
		way = "behind"
	}
	return check{"clock", "wrong", fmt.Sprintf("this machine is %v %s the service", skew.Abs(), way), "let chrony or systemd-timesyncd set the clock"}
}

// failed is the check that could not be made.
func failed(name string, err error) check {
	return check{name, "wrong", err.Error(), "try again; if it stays, look at the service's log"}
}

func relayCheck(ctx context.Context, service *client.Client) check {
	sites, err := service.List(ctx, "/v1/sites", nil, 0)
	if err != nil {
		return failed("relays", err)
	}
	if len(sites.Items) == 0 {
		return check{"relays", "attention", "there is no site yet", "make one: assim site create NAME"}
	}
	online := 0
	var silent, without []string
	for _, raw := range sites.Items {
		var site struct{ ID, Name string }
		if err := json.Unmarshal(raw, &site); err != nil {
			return failed("relays", err)
		}
		relays, err := service.List(ctx, "/v1/sites/"+url.PathEscape(site.ID)+"/relays", nil, 0)
		if err != nil {
			return failed("relays", err)
		}
		kept := 0
		for _, raw := range relays.Items {
			var relay struct{ Name, State string }
			if err := json.Unmarshal(raw, &relay); err != nil {
				return failed("relays", err)
			}
			switch relay.State {
			case "revoked":
				continue
			case "online":
				online++
			default:
				silent = append(silent, relay.Name+" of "+site.Name)
			}
			kept++
		}
		if kept == 0 {
			without = append(without, site.Name)
		}
	}
	switch {
	case len(silent) > 0:
		return check{"relays", "wrong", fmt.Sprintf("%d online, not heard of: %s", online, some(silent)), "on that machine: assim-relay doctor"}
	case len(without) > 0:
		return check{"relays", "attention", fmt.Sprintf("%d online, no relay at %s", online, some(without)), "assim token create --kind relay --site " + without[0] + " prints the install line"}
	}
	return check{"relays", "ok", fmt.Sprintf("%d online", online), ""}
}

// hostCheck counts hosts by state. One that was shut down on purpose asks for
// nothing.
func hostCheck(ctx context.Context, service *client.Client) check {
	hosts, err := service.List(ctx, "/v1/hosts", nil, 0)
	if err != nil {
		return failed("hosts", err)
	}
	if len(hosts.Items) == 0 {
		return check{"hosts", "attention", "none is enrolled", "assim token create --kind probe --site SITE prints the install line"}
	}
	counts := map[string]int{}
	var troubled []json.RawMessage
	for _, item := range hosts.Items {
		var host struct{ State string }
		if err := json.Unmarshal(item, &host); err != nil {
			return failed("hosts", err)
		}
		counts[host.State]++
		if host.State != "up" && host.State != "shut down" {
			troubled = append(troubled, item)
		}
	}
	found := fmt.Sprintf("%d up", counts["up"])
	for _, state := range slices.Sorted(maps.Keys(counts)) {
		if state != "up" {
			found += fmt.Sprintf(", %d %s", counts[state], state)
		}
	}
	if len(troubled) == 0 {
		return check{"hosts", "ok", found, ""}
	}
	return check{"hosts", "attention", found + ": " + some(namesOf(troubled, "name")),
		"assim query down says why, as far as it is known; assim-probe doctor on those machines; if they are gone: assim host retire HOST"}
}

func findingCheck(ctx context.Context, service *client.Client) check {
	open, err := service.List(ctx, "/v1/findings", nil, 0)
	switch {
	case err != nil:
		return failed("findings", err)
	case len(open.Items) == 0:
		return check{"findings", "ok", "none open", ""}
	}
	return check{"findings", "attention", fmt.Sprintf("%d open: %s", len(open.Items), some(namesOf(open.Items, "rule"))), "assim findings lists them"}
}

func namesOf(items []json.RawMessage, field string) (names []string) {
	seen := map[string]bool{}
	for _, raw := range items {
		var fields map[string]any
		if json.Unmarshal(raw, &fields) != nil {
			continue
		}
		if name := fmt.Sprint(fields[field]); !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return names
}

// some lists the first few.
func some(names []string) string {
	const few = 5
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}
