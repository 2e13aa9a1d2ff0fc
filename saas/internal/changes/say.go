package changes

import (
	"context"
	"encoding/hex"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/klauspost/compress/zstd"

	"assimilation/discovery"
)

// Say tells in words what became of facts whose bodies have these hashes, nil
// for none. All are of the tenant whose transaction it is.
func (s *Service) Say(ctx context.Context, tx pgx.Tx, kinds []string, hashes, previous [][]byte) ([]string, error) {
	bodies := map[string][]byte{}
	rows, err := tx.Query(ctx, `
		SELECT b.hash, b.body FROM (
			SELECT b.hash, b.body, sum(b.size) OVER (ORDER BY b.hash ROWS UNBOUNDED PRECEDING) AS together
			FROM assim.fact_bodies b WHERE b.hash = ANY($1::bytea[]) AND b.size <= $2) b WHERE b.together <= $3`,
		append(append([][]byte{}, hashes...), previous...), maxCompared, maxTogether)
	if err != nil {
		return nil, fmt.Errorf("reading what changed: %w", err)
	}
	var hash, body []byte
	if _, err := pgx.ForEachRow(rows, []any{&hash, &body}, func() error {
		bodies[hex.EncodeToString(hash)] = append([]byte{}, body...)
		return nil
	}); err != nil {
		return nil, fmt.Errorf("reading what changed: %w", err)
	}
	unpack, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(discovery.MaxBody))
	if err != nil {
		return nil, err
	}
	defer unpack.Close()
	said := make([]string, len(kinds))
	for i, kind := range kinds {
		v := version{Kind: kind, Hash: hashes[i], Previous: previous[i], Body: bodies[hex.EncodeToString(hashes[i])], PreviousBody: bodies[hex.EncodeToString(previous[i])]}
		c := v.change()
		if err := s.describe(&c, v, unpack); err != nil {
			c.Summary = string(c.Op) + "; cannot be compared"
		}
		said[i] = c.Summary
	}
	return said, nil
}
