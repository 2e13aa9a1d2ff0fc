package cli

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"assimilation/saas"
	"assimilation/tenancy/store"
)

// tenantCommand is what those who run the service do with tenants.
func tenantCommand(config *saas.Config) *cobra.Command {
	group := &cobra.Command{Use: "tenant", Short: "See the tenants, and how much each may have"}
	list := &cobra.Command{
		Use: "list", Short: "List the tenants with what they have of what they may have", Args: cobra.NoArgs,
		Example: `  assim-saas tenant list`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return saas.Tenants(cmd.Context(), *config, cmd.OutOrStdout())
		},
	}
	var all bool
	limits := map[string]*string{}
	quota := &cobra.Command{
		Use: "quota [NAME|ID]", Short: "Show or set how much a tenant may have; \"default\" is as all others", Args: cobra.MaximumNArgs(1),
		Long: `Show or set how much a tenant may have. A value is a number, or "default" for what
all tenants have that are no exception; --all sets that. It holds within a minute.`,
		Example: `  assim-saas tenant quota "Example Ltd"
  assim-saas tenant quota "Example Ltd" --hosts 20000 --bytes 500000000000
  assim-saas tenant quota "Example Ltd" --hosts default
  assim-saas tenant quota --all --hosts 1000`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) == 1) {
				return errors.New("say which tenant, or --all")
			}
			tenant := ""
			if len(args) == 1 {
				if tenant = args[0]; tenant == "" {
					return errors.New("a tenant has a name")
				}
			}
			set := map[string]*int64{}
			for name, text := range limits {
				if !cmd.Flags().Changed(name) {
					continue
				}
				set[name] = nil
				if *text != "default" {
					n, err := strconv.ParseInt(*text, 10, 64)
					if err != nil {
						return fmt.Errorf("--%s %q is neither a number nor \"default\"", name, *text)
					}
					set[name] = &n
				}
			}
			return saas.Quota(cmd.Context(), *config, tenant, set, cmd.OutOrStdout())
		},
	}
	quota.Flags().BoolVar(&all, "all", false, "what holds for all tenants that are no exception")
	for _, name := range store.Quotas {
		limits[name] = quota.Flags().String(name, "", map[string]string{
			"hosts": "enrolled hosts", "changes": "changes of facts in a day", "bytes": "bytes in the database", "questions": "requests answered at once, by each process",
			"sites": "sites", "tokens": "enrolment tokens that can be used", "exporters": "exporters"}[name])
	}
	group.AddCommand(list, quota)
	return group
}
