package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"assimilation/api"
	"assimilation/cmd/assim/internal/output"
)

const deletionPath = "/v1/tenant/deletion"

var deletionColumns = []string{"state", "asked_by", "asked_at", "due_at", "grace_days"}

// deleteTenant asks for the end of the tenant: the name stands on the command
// line, and is asked for nowhere else; the second confirmation is typed.
func (s *session) deleteTenant() *cobra.Command {
	var now, yes bool
	cmd := &cobra.Command{
		Use: "delete NAME", Short: "Delete the tenant with all that it holds, after a time in which it can be kept", Args: arguments(1, 1),
		Long: `Delete the tenant with all that it holds, after a time in which an owner can keep
it (assim tenant keep). NAME is the tenant's name, to show which one is meant; then
it is asked again. Only owners can do it.`,
		Example: `  assim tenant delete "Example Ltd"
  assim tenant delete "Example Ltd" --now --yes`,
		RunE: func(cmd *cobra.Command, args []string) error {
			service, err := s.service()
			if err != nil {
				return err
			}
			if !yes {
				fmt.Fprintf(s.err, "All that the tenant %s holds goes: hosts, history, sites, people who belong to no other. Type \"delete\" to go on: ", output.Printable(args[0]))
				line, err := bufio.NewReader(io.LimitReader(s.in, 100)).ReadString('\n')
				if err != nil && !errors.Is(err, io.EOF) {
					return fmt.Errorf("reading the confirmation: %w", err)
				}
				if strings.TrimSpace(line) != "delete" {
					return errors.New("not confirmed: nothing was done")
				}
			}
			var made json.RawMessage
			in := map[string]any{"name": args[0], "confirm": true, "now": now}
			if err := service.Do(cmd.Context(), http.MethodPost, deletionPath, nil, in, &made); err != nil {
				return err
			}
			return output.One(s.out, s.format, deletionColumns, made)
		},
	}
	cmd.Flags().BoolVar(&now, "now", false, "at once: it cannot be taken back")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask again")
	return cmd
}

func (s *session) keepTenant() *cobra.Command {
	return &cobra.Command{
		Use: "keep", Short: "Take the deletion of the tenant back", Args: arguments(0, 0),
		Example: `  assim tenant keep`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.send(cmd, "the tenant stays", func(ctx context.Context, to *api.Client) (*http.Response, error) {
				return to.KeepTenant(ctx)
			})
		},
	}
}

func (s *session) deletion() *cobra.Command {
	return &cobra.Command{
		Use: "deletion", Short: "Show whether the tenant is to be deleted, and when", Args: arguments(0, 0),
		Example: `  assim tenant deletion -o json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			service, err := s.service()
			if err != nil {
				return err
			}
			var shown json.RawMessage
			if err := service.Do(cmd.Context(), http.MethodGet, deletionPath, nil, nil, &shown); err != nil {
				return err
			}
			return output.One(s.out, s.format, deletionColumns, shown)
		},
	}
}
