-- +goose Up
-- Where a relay says that others of its site, and probes, reach it: host:port,
-- '' where it did not say.
ALTER TABLE assim.relays ADD COLUMN cluster text NOT NULL DEFAULT '';
ALTER TABLE assim.relays ADD COLUMN serves text NOT NULL DEFAULT '';
-- Under which term the host's relay speaks of it: what another relay said under a
-- lower one comes late.
ALTER TABLE assim.hosts ADD COLUMN term bigint NOT NULL DEFAULT 0;
