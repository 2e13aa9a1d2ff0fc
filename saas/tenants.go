package saas

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"

	"assimilation/tenancy/store"
)

// Tenants prints who is there, with what they have of what they may have.
func Tenants(ctx context.Context, config Config, out io.Writer) error {
	if err := config.Validate(); err != nil {
		return err
	}
	all, err := store.Tenants(ctx, config.DatabaseURL)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tID\tSINCE\tHOSTS\tCHANGES A DAY\tBYTES\tQUOTA OF ITS OWN\tTO BE DELETED")
	for _, t := range all {
		ending := ""
		if t.EndsAt != nil {
			ending = t.EndsAt.UTC().Format("2006-01-02 15:04 UTC")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d/%d\t%.0f/%d\t%d/%d\t%v\t%s\n", strconv.Quote(t.Name), t.ID, t.CreatedAt.UTC().Format("2006-01-02"),
			t.Hosts, t.MaxHosts, t.Changes, t.MaxChanges, t.Bytes, t.MaxBytes, t.Own, ending)
	}
	return w.Flush()
}

// Quota sets quotas of a tenant, by name or id, or of all that have none of their
// own (""), and prints what holds then. A value of nil goes back to what all have.
func Quota(ctx context.Context, config Config, tenant string, set map[string]*int64, out io.Writer) error {
	if err := config.Validate(); err != nil {
		return err
	}
	now, err := store.SetQuotas(ctx, config.DatabaseURL, tenant, set)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, name := range store.Quotas {
		q := now[name]
		whose := "as all"
		if q.Own {
			whose = "its own"
		}
		if tenant == "" {
			whose = "of all"
		}
		fmt.Fprintf(w, "%s\t%d\t%s\n", name, q.Limit, whose)
	}
	return w.Flush()
}
