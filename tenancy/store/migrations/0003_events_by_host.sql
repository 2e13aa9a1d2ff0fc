-- +goose Up
-- What happened to one host, newest first, without reading what happened to all.
CREATE INDEX ON assim.events (tenant, host, id);
