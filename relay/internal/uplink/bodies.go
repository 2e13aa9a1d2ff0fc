package uplink

import (
	"context"

	"assimilation/discovery/packages"
	"assimilation/relay/internal/store"
	"assimilation/uplink"
)

const (
	// smallBody is not worth a reference: its hash alone is 32 bytes, which do not
	// compress.
	smallBody = 256
	// crowd is how many like bodies of a batch compress better with each other than
	// each against one that the service holds.
	crowd = 6
)

// public reports whether bodies of a kind may be shared between hosts.
func public(kind string) bool { return packages.Kind.Public && kind == packages.Kind.Name }

// like is what bodies resemble each other by.
type like struct{ kind, instance string }

// shorten lets records refer to bodies that the service holds, or that stand in
// the batch before them.
func shorten(ctx context.Context, s *store.Store, records [][]byte) ([][]byte, error) {
	changes := make([]uplink.Change, len(records))
	fresh := map[like]int{}
	seen := map[uplink.BodyHash]bool{}
	for i, record := range records {
		c, err := uplink.DecodeRecord(record)
		if err != nil || c.Type != uplink.FactPut || len(c.Body) < smallBody {
			continue // the service judges it as it is
		}
		changes[i] = c
		if hash := uplink.BodyHash(c.Hash); !seen[hash] {
			seen[hash] = true
			fresh[like{c.Kind, c.Instance}]++
		}
	}
	packer := &uplink.Packer{}
	defer packer.Close()
	short := make([][]byte, len(records))
	clear(seen)
	for i, c := range changes {
		short[i] = records[i]
		if c.Type != uplink.FactPut {
			continue
		}
		hash := uplink.BodyHash(c.Hash)
		var err error
		if c, err = refer(ctx, s, packer, c, seen[hash], fresh[like{c.Kind, c.Instance}]); err != nil {
			return nil, err
		}
		seen[hash] = true
		if short[i], err = uplink.EncodeRecord(c.Unnamed()); err != nil {
			return nil, err
		}
	}
	return short, nil
}

// refer chooses how one body travels; before: it stands in the batch already.
func refer(ctx context.Context, s *store.Store, packer *uplink.Packer, c uplink.Change, before bool, fresh int) (uplink.Change, error) {
	if before {
		return c.ByHash(), nil
	}
	base, found, err := s.OwnBase(ctx, c.Host, c.Kind, c.Instance)
	if err != nil {
		return c, err
	}
	if found && base.Hash == uplink.BodyHash(c.Hash) {
		return c.ByHash(), nil
	}
	if public(c.Kind) {
		if holds, err := s.Holds(ctx, c.Hash); err != nil || holds {
			return c.ByHash(), err
		}
		if !found && fresh < crowd {
			if base, found, err = s.LikeBase(ctx, c.Kind, c.Instance); err != nil {
				return c, err
			}
		}
	}
	if found {
		c, _ = packer.ByBase(c, base.Hash, base.Body)
	}
	return c, nil
}
