-- +goose Up
-- A site's key is site_key, and signs, until the one that replaces it, next_key, is
-- known to who trusts it. key_sequence counts what the site has said of its keys.
ALTER TABLE assim.sites
    ADD COLUMN key_sequence bigint NOT NULL DEFAULT 0,
    ADD COLUMN keyed_at     timestamptz,        -- since when site_key is in force; null: since the site was made
    ADD COLUMN former_key   bytea,              -- public, of before site_key; the private part is deleted
    ADD COLUMN next_key     bytea UNIQUE,
    ADD COLUMN next_private bytea,              -- wrapped by the master key
    ADD COLUMN next_at      timestamptz,
    ADD COLUMN site_secret  bytea,              -- what relays share, wrapped by the master key; null: made of site_private
    ADD CHECK (num_nulls(next_key, next_private, next_at) IN (0, 3));

-- The certificate by the site's next key, and what a relay or a host has stored of the
-- site's keys. A token pins the key that was the newest when the site had said so much.
ALTER TABLE assim.relays
    ADD COLUMN next_certificate bytea,
    ADD COLUMN key_sequence bigint NOT NULL DEFAULT 0;
ALTER TABLE assim.hosts ADD COLUMN key_sequence bigint NOT NULL DEFAULT 0;
ALTER TABLE assim.tokens ADD COLUMN key_sequence bigint NOT NULL DEFAULT 0;
