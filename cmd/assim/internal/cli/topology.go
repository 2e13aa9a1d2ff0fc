package cli

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"assimilation/api"
	"assimilation/cmd/assim/internal/output"
)

// topology is the answer of a site's relays, as far as a tree shows it.
type topology struct {
	Relay    string
	At       time.Time
	Switches []struct {
		Domain, Chassis, Name, Subnet, Zone, State string
		Ports                                      []struct{ Port, Host, Interface string }
	}
	Hosts []struct{ Host, Name, State, Domain, Address string }
}

func (s *session) topology() *cobra.Command {
	return &cobra.Command{
		Use: "topology SITE", Short: "Ask a site's relays how it is wired", Args: arguments(1, 1),
		Long: `Asks a site's relays how it is wired: switches, ports, hosts and their states, as they are now. Nothing of the
answer is stored by the service; that somebody asked is in the audit log.`,
		Example: `  assim topology paris
  assim topology paris -o json | jq '.switches[] | select(.state == "down")'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			path := "/v1/sites/" + url.PathEscape(args[0]) + "/topology"
			if s.format != output.Table {
				return s.whole(cmd, path, nil)
			}
			service, err := s.service()
			if err != nil {
				return err
			}
			var t topology
			if err := service.Do(cmd.Context(), http.MethodGet, path, nil, nil, &t); err != nil {
				return err
			}
			return t.tree(s.out)
		},
	}
}

// tree shows switches, the ports that hosts are wired to, and the hosts.
func (t topology) tree(to io.Writer) error {
	b := bufio.NewWriter(to)
	line := func(format string, args ...any) {
		fmt.Fprintln(b, output.Printable(fmt.Sprintf(format, args...))) // Flush tells what went wrong
	}
	name, state, of := map[string]string{}, map[string]string{}, map[string][]int{}
	for i, h := range t.Hosts {
		name[h.Host], state[h.Host] = h.Name, h.State
		of[h.Domain] = append(of[h.Domain], i)
	}
	for _, s := range t.Switches {
		heading := "subnet " + cmp.Or(s.Subnet, "not known")
		if s.Chassis != "" {
			heading = words(" ", "switch", s.Name, s.Chassis)
		}
		line("%s", words("  ", heading, s.Zone, s.State))
		wired := map[string]bool{}
		for _, p := range s.Ports {
			wired[p.Host] = true
			line("  %-16s %s", p.Port, words("  ", cmp.Or(name[p.Host], p.Host), p.Interface, state[p.Host]))
		}
		for _, i := range of[s.Domain] {
			if h := t.Hosts[i]; !wired[h.Host] {
				line("  %-16s %s", "-", words("  ", h.Name, h.Address, h.State))
			}
		}
	}
	line("told by %s at %s", t.Relay, t.At.Local().Format("15:04:05"))
	return b.Flush()
}

// words joins those that are not empty.
func words(separator string, parts ...string) string {
	var kept []string
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, separator)
}

func (s *session) siteSet(columns []string) *cobra.Command {
	var residency string
	var beat time.Duration
	var places map[string]string
	cmd := &cobra.Command{
		Use: "set SITE", Short: "Change a site's policy: what is given changes, the rest stays", Args: arguments(1, 1),
		Long: `Changes what a site's relays are told.

--residency site keeps switches, ports and places in the site: they are asked for when somebody looks. replicate stores
them in the service too; going back to site deletes them there for good.`,
		Example: `  assim site set paris --residency replicate
  assim site set paris --beat 500ms
  assim site set paris --place role=db="cage 4" --place "mac 02:00:00:00:01:01=row 7"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var change api.SetSitePolicyJSONRequestBody
			if cmd.Flags().Changed("residency") {
				change.Residency = new(api.SetSitePolicyRequestResidency(residency))
			}
			if cmd.Flags().Changed("beat") {
				if beat < 500*time.Millisecond || beat > 10*time.Second {
					return usageError{fmt.Errorf("--beat is 500ms to 10s, not %v", beat)}
				}
				change.BeatMs = new(beat.Milliseconds())
			}
			if cmd.Flags().Changed("place") {
				change.Places = &places
			}
			if change == (api.SetSitePolicyJSONRequestBody{}) {
				return usageError{fmt.Errorf("say what to change; see --help")}
			}
			return s.request(cmd, columns, func(ctx context.Context, to *api.Client) (*http.Response, error) {
				return to.SetSitePolicy(ctx, args[0], change)
			})
		},
	}
	cmd.Flags().StringVar(&residency, "residency", "", "site or replicate")
	cmd.Flags().DurationVar(&beat, "beat", 0, "between two heartbeats, 500ms to 10s")
	cmd.Flags().Var(&lastEquals{&places}, "place", "a zone by a host's label or a switch's chassis: NAME=VALUE=ZONE or CHASSIS=ZONE; repeatable, replaces all")
	return cmd
}

// lastEquals reads NAME=VALUE pairs whose name may hold a sign of its own.
type lastEquals struct{ to *map[string]string }

func (l *lastEquals) String() string { return "" }
func (l *lastEquals) Type() string   { return "name=zone" }

// Set implements pflag.Value.
func (l *lastEquals) Set(text string) error {
	at := strings.LastIndexByte(text, '=')
	if at < 1 || at == len(text)-1 {
		return fmt.Errorf("%q is not NAME=ZONE", text)
	}
	if *l.to == nil {
		*l.to = map[string]string{}
	}
	(*l.to)[text[:at]] = text[at+1:]
	return nil
}
