package cli

import "github.com/spf13/cobra"

// usage shows what the tenant has of what it may have.
func (s *session) usage() *cobra.Command {
	return &cobra.Command{
		Use: "usage", Short: "Show what the tenant has of what it may have, and what happens beyond", Args: arguments(0, 0),
		Example: `  assim usage
  assim usage -o json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.list(cmd, "/v1/usage", nil, 0, []string{"quota", "used", "limit", "percent", "unit", "beyond"})
		},
	}
}
