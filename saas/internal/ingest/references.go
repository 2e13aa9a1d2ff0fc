package ingest

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"assimilation/discovery"
	"assimilation/discovery/projectors"
	"assimilation/tenancy"
	"assimilation/uplink"
)

// inline puts the bodies into records that refer to them. missing lists those
// that the relay must send.
func (s *Service) inline(ctx context.Context, from Source, payload []byte) (records, missing [][]byte, err error) {
	if records, err = uplink.DecodeBatch(payload); err != nil {
		return nil, nil, err
	}
	var held map[uplink.BodyHash][]byte
	if wants := uplink.Wants(records); len(wants) > 0 {
		err := s.db.Read(ctx, from.Tenant, func(tx pgx.Tx) (err error) {
			held, err = s.held(ctx, tx, from, wants)
			return err
		})
		if err != nil {
			return nil, nil, err
		}
	}
	return uplink.Inline(records, held, hashOf)
}

func hashOf(kind string, schema uint8, body []byte) uplink.BodyHash {
	return uplink.BodyHash(discovery.HashBody(kind, int(schema), body))
}

// held reads the bodies that a relay may refer to: of public kinds all that the
// tenant has, else the one that is current for the same fact of a host of the
// relay's site. A relay must not get at others by naming them.
func (s *Service) held(ctx context.Context, tx pgx.Tx, from Source, wants []uplink.Want) (map[uplink.BodyHash][]byte, error) {
	var public, hashes [][]byte
	var kinds, privateKinds, instances []string
	var hosts []tenancy.HostID
	for _, w := range wants {
		if p, ok := projectors.ByKind(w.Change.Kind); ok && p.Kind().Public {
			public, kinds = append(public, w.Hash[:]), append(kinds, w.Change.Kind)
			continue
		}
		hashes, hosts = append(hashes, w.Hash[:]), append(hosts, w.Change.Host)
		privateKinds, instances = append(privateKinds, w.Change.Kind), append(instances, w.Change.Instance)
	}
	rows, err := tx.Query(ctx, `
		SELECT b.hash, b.body FROM unnest($2::bytea[], $3::text[]) AS w(hash, kind)
		JOIN assim.fact_bodies b ON b.tenant = $1 AND b.hash = w.hash AND b.kind = w.kind
		UNION
		SELECT b.hash, b.body FROM unnest($4::bytea[], $5::uuid[], $6::text[], $7::text[]) AS w(hash, host, kind, instance)
		JOIN assim.facts f ON f.tenant = $1 AND f.host = w.host AND f.kind = w.kind AND f.instance = w.instance AND f.hash = w.hash
		JOIN assim.hosts h ON h.tenant = $1 AND h.id = f.host AND h.site = $8
		JOIN assim.fact_bodies b ON b.tenant = $1 AND b.hash = f.hash`,
		from.Tenant, public, kinds, hashes, hosts, privateKinds, instances, from.Site)
	if err != nil {
		return nil, fmt.Errorf("reading bodies that records refer to: %w", err)
	}
	bodies := map[uplink.BodyHash][]byte{}
	room := uplink.MaxPayload
	var hash, packed []byte
	_, err = pgx.ForEachRow(rows, []any{&hash, &packed}, func() error {
		body, err := s.unpack.DecodeAll(packed, nil)
		if err != nil {
			return fmt.Errorf("body %x: %w", hash, err)
		}
		if room -= len(body); room >= 0 { // the others are asked for, and come in batches of their own
			bodies[uplink.BodyHash(hash)] = body
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading bodies that records refer to: %w", err)
	}
	return bodies, nil
}

// need answers a batch that refers to bodies that are not here: where the stream
// stands, and which ones.
func (s *Service) need(ctx context.Context, from Source, header uplink.Header, missing [][]byte) (uplink.Ack, error) {
	have, err := s.position(ctx, from)
	if err != nil {
		return uplink.Ack{}, err
	}
	ack := place{then: have, detail: "bodies that records refer to are not here"}.ack(header)
	ack.Need = missing
	return ack, nil
}
