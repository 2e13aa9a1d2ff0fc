-- +goose Up
-- Where hosts reach a relay's installer, host:port, '' where it has none, and the
-- SHA-256 of the public key by which they know it.
ALTER TABLE assim.relays ADD COLUMN installs text NOT NULL DEFAULT '';
ALTER TABLE assim.relays ADD COLUMN install_key bytea;
-- What a host calls itself, where a person gave it another name; '' where it goes by
-- its own.
ALTER TABLE assim.hosts ADD COLUMN own_name text NOT NULL DEFAULT '';
