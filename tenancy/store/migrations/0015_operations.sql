-- +goose Up
-- What was done to the deployment by those who run it: backups, restores, changes
-- of the master key. Of no tenant: only the administrator reads it.
CREATE TABLE assim.operations (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at     timestamptz NOT NULL DEFAULT now(),
    what   text NOT NULL,
    detail jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX ON assim.operations (what, at);
