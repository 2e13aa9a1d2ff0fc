package changes

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/klauspost/compress/zstd"

	"assimilation/discovery"
)

// Sizes in bytes of JSON up to which bodies are compared: of one body, and of
// all on a page, the first that are shown first.
const (
	maxCompared = 1 << 20
	maxTogether = 16 << 20
)

// compare tells what became of facts. Hosts change alike: each two bodies are
// read and compared once, however many hosts went from the one to the other.
func (s *Service) compare(ctx context.Context, tx pgx.Tx, versions []version) ([]Change, error) {
	bodies, err := readBodies(ctx, tx, versions)
	if err != nil {
		return nil, err
	}
	return s.tell(versions, bodies)
}

// tell compares what was read. A thousand large bodies take their time: who can,
// does so when the transaction is over.
func (s *Service) tell(versions []version, bodies map[string][]byte) ([]Change, error) {
	unpack, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(discovery.MaxBody))
	if err != nil {
		return nil, err
	}
	defer unpack.Close()
	type step struct{ kind, hash, previous string }
	told := map[step]Change{}
	items := make([]Change, len(versions))
	for i, v := range versions {
		items[i] = v.change()
		of := step{v.Kind, string(v.Hash), string(v.Previous)}
		c, known := told[of]
		if !known {
			c = items[i]
			v.Body, v.PreviousBody = bodies[of.hash], bodies[of.previous]
			if err := s.describe(&c, v, unpack); err != nil {
				// What one host sent must not hide what all others did.
				c.Summary = string(c.Op) + "; cannot be compared"
			}
			told[of] = c
		}
		items[i].Summary, items[i].Details, items[i].More = c.Summary, c.Details, c.More
	}
	return items, nil
}

// readBodies reads the packed bodies of both sides of all versions, by hash; those
// that are too large, or no longer kept, are left out.
func readBodies(ctx context.Context, tx pgx.Tx, versions []version) (map[string][]byte, error) {
	var hashes [][]byte
	bodies := map[string][]byte{}
	for _, v := range versions {
		for _, hash := range [][]byte{v.Hash, v.Previous} {
			if _, listed := bodies[string(hash)]; hash != nil && !listed {
				bodies[string(hash)] = nil
				hashes = append(hashes, hash)
			}
		}
	}
	rows, err := tx.Query(ctx, `
		SELECT b.hash, b.body FROM (
			SELECT b.hash, b.body, sum(b.size) OVER (ORDER BY h.place ROWS UNBOUNDED PRECEDING) AS together
			FROM unnest($1::bytea[]) WITH ORDINALITY AS h(hash, place) JOIN assim.fact_bodies b ON b.hash = h.hash
			WHERE b.size <= $2) b
		WHERE b.together <= $3`, hashes, maxCompared, maxTogether)
	if err != nil {
		return nil, fmt.Errorf("reading what changed: %w", err)
	}
	var hash, body []byte
	if _, err := pgx.ForEachRow(rows, []any{&hash, &body}, func() error {
		bodies[string(hash)] = append([]byte{}, body...)
		return nil
	}); err != nil {
		return nil, fmt.Errorf("reading what changed: %w", err)
	}
	return bodies, nil
}
