package saas

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"assimilation/tenancy/keys"
	"assimilation/tenancy/store"
)

const masterKeyLock = "master key"

// PrepareMaster puts a key into the file that RotateMaster will use: time to bring it
// to the other machines that serve.
func PrepareMaster(ctx context.Context, config Config, out io.Writer) error {
	if err := config.Validate(); err != nil {
		return err
	}
	return store.Alone(ctx, config.DatabaseURL, masterKeyLock, func() error {
		id, err := keys.Prepare(config.MasterKeyFile)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "master key %s is in %s, and used for nothing yet: copy the file to where you keep it, and to every other machine that serves; then run `assim-saas keys rotate-master`\n",
			id, config.MasterKeyFile)
		return nil
	})
}

// RotateMaster puts the master key that is prepared, else a fresh one, in front of the present one and wraps all
// secrets by it. Where it broke off it goes on.
func RotateMaster(ctx context.Context, config Config, out io.Writer) error {
	if err := config.Validate(); err != nil {
		return err
	}
	return store.Alone(ctx, config.DatabaseURL, masterKeyLock, func() error {
		next, put, err := keys.Next(config.MasterKeyFile)
		if err != nil {
			return err
		}
		if err := store.SetPasswords(ctx, config.DatabaseURL, next.Derive, put); err != nil {
			return err
		}
		n, err := store.Rewrap(ctx, config.DatabaseURL, next)
		if err != nil {
			return err
		}
		ids := next.IDs()
		fmt.Fprintf(out, "%d secrets are wrapped anew, by master key %s\n", n, ids[0])
		fmt.Fprintf(out, "%s holds the new key and the old: copy it to where you keep it, and to other machines that serve; then run `assim-saas keys retire-master`\n", config.MasterKeyFile)
		return store.Record(ctx, config.DatabaseURL, store.MasterRotated, map[string]any{"from": ids[1:], "to": ids[0], "secrets": n})
	})
}

// RetireMaster takes the old master keys out of the file, once nothing is wrapped by
// them.
func RetireMaster(ctx context.Context, config Config, out io.Writer) error {
	if err := config.Validate(); err != nil {
		return err
	}
	return store.Alone(ctx, config.DatabaseURL, masterKeyLock, func() error {
		master, err := keys.Load(config.MasterKeyFile)
		if err != nil {
			return err
		}
		ids := master.IDs()
		if len(ids) == 1 {
			return fmt.Errorf("%s holds one key only, %s: there is none to retire", config.MasterKeyFile, ids[0])
		}
		left, err := store.StillWrapped(ctx, config.DatabaseURL, ids[1:])
		if err != nil {
			return err
		}
		if len(left) > 0 {
			for _, column := range slices.Sorted(maps.Keys(left)) {
				fmt.Fprintf(out, "%s: %d secrets are still wrapped by an old key\n", column, left[column])
			}
			return errors.New("old master keys are still needed: run `assim-saas keys rotate-master` again")
		}
		if err := keys.Retire(config.MasterKeyFile); err != nil {
			return err
		}
		for _, id := range ids[1:] {
			fmt.Fprintf(out, "master key %s is out of %s: backups that name it need your copy of it\n", id, config.MasterKeyFile)
		}
		return store.Record(ctx, config.DatabaseURL, store.MasterRetired, map[string]any{"keys": ids[1:]})
	})
}

// ListMaster says which master keys there are, and how many secrets each wraps.
func ListMaster(ctx context.Context, config Config, out io.Writer) error {
	if err := config.Validate(); err != nil {
		return err
	}
	master, err := keys.Load(config.MasterKeyFile)
	if err != nil {
		return err
	}
	counts, err := store.SecretsBy(ctx, config.DatabaseURL)
	if err != nil {
		return err
	}
	for i, id := range master.IDs() {
		state := "wraps"
		if i > 0 {
			state = "old"
		}
		fmt.Fprintf(out, "%s  %-7s  %d secrets\n", id, state, counts[id])
		delete(counts, id)
	}
	if id := master.Prepared(); id != "" {
		// Where another machine uses it there are some.
		fmt.Fprintf(out, "%s  %-7s  %d secrets\n", id, "next", counts[id])
		delete(counts, id)
	}
	for _, id := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(out, "%s  MISSING  %d secrets that nobody can open\n", id, counts[id])
	}
	return nil
}
