-- +goose Up
-- Where a tenant wants to be called when something happens. An endpoint has a
-- place in the events; what comes after it is made into messages, some at a time,
-- each of which is tried until it is taken or given up.
CREATE TABLE assim.webhooks (
    tenant      uuid NOT NULL REFERENCES assim.tenants ON DELETE CASCADE,
    id          uuid NOT NULL,
    name        text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    url         text NOT NULL,
    types       text[] NOT NULL,                -- of events, or what is before their first dot; none: all
    site        uuid,                           -- only of this site
    state       text NOT NULL CHECK (state IN ('on', 'off', 'failed')), -- failed: turned off by us
    secret      bytea NOT NULL,                 -- wrapped by the master key
    previous_secret bytea,                      -- signs along
    previous_until  timestamptz,
    created_at  timestamptz NOT NULL,
    event_id    bigint NOT NULL,                -- the last event that was looked at
    leased_until timestamptz NOT NULL DEFAULT '-infinity', -- by the process that sends
    next_at     timestamptz NOT NULL,           -- not before
    failures    integer NOT NULL DEFAULT 0,     -- tries since the last success
    failing_since timestamptz,
    problem     text NOT NULL DEFAULT '',       -- of the last try
    sent_at     timestamptz,                    -- the last success
    sent        bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, name),
    FOREIGN KEY (tenant, site) REFERENCES assim.sites (tenant, id) ON DELETE CASCADE
);
CREATE TABLE assim.webhook_messages (
    tenant   uuid NOT NULL,
    webhook  uuid NOT NULL,
    event    bigint NOT NULL,
    id       text NOT NULL,                     -- webhook-id: the same with each try
    type     text NOT NULL,
    at       timestamptz NOT NULL,              -- when it was made
    body     text NOT NULL,
    state    text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'failed')),
    tries    integer NOT NULL DEFAULT 0,
    next_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant, webhook, event),
    FOREIGN KEY (tenant, webhook) REFERENCES assim.webhooks (tenant, id) ON DELETE CASCADE
);
CREATE INDEX webhook_messages_waiting ON assim.webhook_messages (tenant, webhook, next_at) WHERE state = 'waiting';
CREATE TABLE assim.webhook_tries (
    tenant   uuid NOT NULL,
    webhook  uuid NOT NULL,
    event    bigint NOT NULL,
    at       timestamptz NOT NULL,
    status   integer NOT NULL,                  -- of HTTP; 0: no answer
    took_ms  bigint NOT NULL,
    problem  text NOT NULL,
    answer   text NOT NULL,                     -- its beginning
    PRIMARY KEY (tenant, webhook, event, at),
    FOREIGN KEY (tenant, webhook, event) REFERENCES assim.webhook_messages (tenant, webhook, event) ON DELETE CASCADE
);

-- +goose StatementBegin
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['webhooks', 'webhook_messages', 'webhook_tries'] LOOP
        EXECUTE format('ALTER TABLE assim.%I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY own_tenant ON assim.%I USING (tenant = (SELECT assim.current_tenant())) WITH CHECK (tenant = (SELECT assim.current_tenant()))', t);
    END LOOP;
END $$;
-- +goose StatementEnd

-- Which endpoints have something to do: the lookup that spares a transaction for
-- each tenant.
-- +goose StatementBegin
CREATE FUNCTION assim.webhooks_awake(now timestamptz) RETURNS TABLE (tenant uuid, id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
    AS $$
        SELECT w.tenant, w.id FROM assim.webhooks w WHERE w.state = 'on' AND w.next_at <= $1 AND w.leased_until <= $1 AND (
            EXISTS (SELECT FROM assim.events e WHERE e.tenant = w.tenant AND e.id > w.event_id)
            OR EXISTS (SELECT FROM assim.webhook_messages m WHERE m.tenant = w.tenant AND m.webhook = w.id AND m.state = 'waiting' AND m.next_at <= $1))
    $$;
-- +goose StatementEnd
