-- +goose Up
-- A tenant's key that was replaced opens what is sealed to it until it is retired.
-- At most one: before another replacement it must be gone.
ALTER TABLE assim.tenants
    ADD COLUMN former_key      bytea UNIQUE,
    ADD COLUMN former_key_hash bytea UNIQUE,
    ADD COLUMN former_private  bytea,           -- wrapped by the master key
    ADD COLUMN rotated_at      timestamptz,
    ADD CHECK (num_nulls(former_key, former_key_hash, former_private, rotated_at) IN (0, 4));
CREATE INDEX ON assim.tenants (substring(former_key_hash FROM 1 FOR 8));

-- The id of the tenant's key that the relay's latest request for orders was sealed to.
ALTER TABLE assim.relays ADD COLUMN sealed_to bytea;
