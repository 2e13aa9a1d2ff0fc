package saas

import (
	"context"
	"fmt"
	"io"

	"assimilation/tenancy"
	"assimilation/tenancy/keys"
	"assimilation/tenancy/store"
	"assimilation/uplink"
)

// RotateTenantKey gives a tenant, by name or id, another key for its relays to seal
// to. The former one goes on opening until it is retired.
func RotateTenantKey(ctx context.Context, config Config, tenant string, out io.Writer) error {
	if err := config.Validate(); err != nil {
		return err
	}
	// What wraps the new key must not be on its way out.
	return store.Alone(ctx, config.DatabaseURL, masterKeyLock, func() error {
		master, err := keys.Load(config.MasterKeyFile)
		if err != nil {
			return err
		}
		done, err := store.RotateTenantKey(ctx, config.DatabaseURL, tenant, func(id tenancy.TenantID) (public, wrapped []byte, err error) {
			key, err := uplink.NewOpenKey()
			if err != nil {
				return nil, nil, err
			}
			private, err := key.Bytes()
			if err != nil {
				return nil, nil, err
			}
			return key.SealKey().Bytes(), master.Wrap(keys.OfTenant(id), private), nil
		})
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "tenant %s has another key; %d relays hear of it by their next orders\n", done.Tenant, done.Relays)
		fmt.Fprintln(out, "take a backup now: one from before cannot open what relays seal from here on")
		if done.Tokens > 0 {
			fmt.Fprintf(out, "%d relay tokens name the former key: they end when it is retired\n", done.Tokens)
		}
		fmt.Fprintf(out, "then run `assim-saas keys rotate-tenant %s --retire`\n", done.Tenant)
		return nil
	})
}

// RetireTenantKey deletes the former key of a tenant, once no relay needs it.
func RetireTenantKey(ctx context.Context, config Config, tenant string, out io.Writer) error {
	if err := config.Validate(); err != nil {
		return err
	}
	done, err := store.RetireTenantKey(ctx, config.DatabaseURL, tenant)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "the former key of tenant %s is deleted; %d relays seal to the present one\n", done.Tenant, done.Relays)
	if done.Tokens > 0 {
		fmt.Fprintf(out, "%d relay tokens named it and are of no use any more: make others\n", done.Tokens)
	}
	return nil
}
