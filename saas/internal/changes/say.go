package changes

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Say tells in words what became of facts whose bodies have these hashes, nil
// for none. All are of the tenant whose transaction it is.
func (s *Service) Say(ctx context.Context, tx pgx.Tx, kinds []string, hashes, previous [][]byte) ([]string, error) {
	versions := make([]version, len(kinds))
	for i, kind := range kinds {
		versions[i] = version{Kind: kind, Hash: hashes[i], Previous: previous[i]}
	}
	items, err := s.compare(ctx, tx, versions)
	if err != nil {
		return nil, err
	}
	said := make([]string, len(items))
	for i, c := range items {
		said[i] = c.Summary
	}
	return said, nil
}
