-- +goose Up
-- Which hosts enrolled with a token at which relay. A relay that was restored
-- from a copy tells of uses again that were counted: the same host is no new use.
CREATE TABLE assim.token_uses (
    tenant uuid NOT NULL REFERENCES assim.tenants ON DELETE CASCADE,
    token  text NOT NULL,
    host   uuid NOT NULL,
    relay  uuid NOT NULL,
    PRIMARY KEY (tenant, token, host, relay),
    FOREIGN KEY (tenant, token) REFERENCES assim.tokens (tenant, id) ON DELETE CASCADE
);
INSERT INTO assim.token_uses (tenant, token, host, relay)
    SELECT h.tenant, h.token, h.id, h.relay FROM assim.hosts h JOIN assim.tokens t ON t.tenant = h.tenant AND t.id = h.token;

ALTER TABLE assim.token_uses ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON assim.token_uses
    USING (tenant = (SELECT assim.current_tenant())) WITH CHECK (tenant = (SELECT assim.current_tenant()));
