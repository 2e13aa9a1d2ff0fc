-- +goose Up
-- How people prove who they are, beyond a password. All of it is of people, so
-- reached through store.Global only; of every secret only SHA-256 is stored.
ALTER TABLE assim.users
    ADD COLUMN verified_at timestamptz,             -- when it was shown that the address is theirs
    ADD COLUMN totp_secret bytea,                   -- wrapped by the master key
    ADD COLUMN totp_at     timestamptz,             -- enrolled; NULL: the secret waits for its first code
    ADD COLUMN totp_step   bigint NOT NULL DEFAULT 0; -- of the newest code taken: none is taken twice

-- A session may be of one tenant's identity provider: then it is good for that
-- tenant only, and not for the person's own affairs.
ALTER TABLE assim.sessions
    ADD COLUMN sso       boolean NOT NULL DEFAULT false,
    ADD COLUMN proved_at timestamptz NOT NULL DEFAULT now(), -- when the person last showed a secret
    ADD COLUMN seen_at   timestamptz;
CREATE INDEX ON assim.sessions (user_id);
ALTER TABLE assim.api_tokens
    ADD COLUMN site           uuid,                 -- good for this site only
    ADD COLUMN last_used_from text NOT NULL DEFAULT '',
    ADD FOREIGN KEY (tenant, site) REFERENCES assim.sites (tenant, id) ON DELETE CASCADE;

-- Where a person has logged in from: strangers' tries do not count against it.
CREATE TABLE assim.known_addresses (
    user_id uuid NOT NULL REFERENCES assim.users ON DELETE CASCADE,
    address text NOT NULL,
    seen_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, address)
);
CREATE TABLE assim.recovery_codes (
    user_id uuid NOT NULL REFERENCES assim.users ON DELETE CASCADE,
    hash    bytea NOT NULL,
    PRIMARY KEY (user_id, hash)
);

-- Who signed up and has not followed the link that was mailed. There is no user
-- before that, so nobody holds an address that is another's.
CREATE TABLE assim.signups (
    hash          bytea PRIMARY KEY,
    email         text NOT NULL,
    password_hash text NOT NULL,
    tenant_name   text NOT NULL,
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL
);
CREATE INDEX ON assim.signups (email);
CREATE INDEX ON assim.signups (expires_at);

-- Links that were mailed, and log-ins that want one more step. A row goes with
-- its use.
CREATE TABLE assim.links (
    hash       bytea PRIMARY KEY,
    purpose    text NOT NULL CHECK (purpose IN ('reset', 'address', 'second factor')),
    user_id    uuid NOT NULL REFERENCES assim.users ON DELETE CASCADE,
    email      text NOT NULL DEFAULT '',            -- the new one
    detail     jsonb NOT NULL DEFAULT '{}',
    tries      integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX ON assim.links (user_id, purpose);

-- What a member may do at single sites, beyond what they may in the whole tenant.
CREATE TABLE assim.site_members (
    tenant  uuid NOT NULL,
    user_id uuid NOT NULL,
    site    uuid NOT NULL,
    role    text NOT NULL CHECK (role IN ('admin', 'operator')),
    PRIMARY KEY (user_id, tenant, site),
    FOREIGN KEY (user_id, tenant) REFERENCES assim.members (user_id, tenant) ON DELETE CASCADE,
    FOREIGN KEY (tenant, site) REFERENCES assim.sites (tenant, id) ON DELETE CASCADE
);
CREATE INDEX ON assim.members (tenant);
CREATE TABLE assim.invitations (
    id         uuid PRIMARY KEY,
    tenant     uuid NOT NULL REFERENCES assim.tenants ON DELETE CASCADE,
    hash       bytea NOT NULL UNIQUE,
    email      text NOT NULL,
    role       text NOT NULL CHECK (role IN ('owner', 'admin', 'operator', 'viewer')),
    invited_by text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    UNIQUE (tenant, email)
);

-- What a tenant demands of its people.
CREATE TABLE assim.entry_rules (
    tenant        uuid PRIMARY KEY REFERENCES assim.tenants ON DELETE CASCADE,
    totp_required boolean NOT NULL DEFAULT false,
    sso_required  boolean NOT NULL DEFAULT false    -- owners excepted: somebody must be able to mend it
);

-- A tenant's own identity provider (OpenID Connect).
CREATE TABLE assim.identity_providers (
    tenant        uuid PRIMARY KEY REFERENCES assim.tenants ON DELETE CASCADE,
    issuer        text NOT NULL,
    client_id     text NOT NULL,
    client_secret bytea NOT NULL,                   -- wrapped by the master key
    role_claim    text NOT NULL DEFAULT '',
    role_map      jsonb NOT NULL DEFAULT '{}',      -- value of the claim: role
    default_role  text NOT NULL DEFAULT '' CHECK (default_role IN ('', 'admin', 'operator', 'viewer')),
    updated_at    timestamptz NOT NULL
);
-- The domains of its people's addresses. Only a proved one brings new people in,
-- and only one tenant can prove it.
CREATE TABLE assim.domains (
    tenant    uuid NOT NULL REFERENCES assim.tenants ON DELETE CASCADE,
    domain    text NOT NULL,
    challenge text NOT NULL,                        -- what the domain's TXT record must say
    proved_at timestamptz,
    PRIMARY KEY (tenant, domain)
);
CREATE UNIQUE INDEX domains_proved ON assim.domains (domain) WHERE proved_at IS NOT NULL;
CREATE TABLE assim.identities (
    tenant  uuid NOT NULL REFERENCES assim.tenants ON DELETE CASCADE,
    issuer  text NOT NULL,
    subject text NOT NULL,
    user_id uuid NOT NULL REFERENCES assim.users ON DELETE CASCADE,
    PRIMARY KEY (tenant, issuer, subject)
);
-- A log-in that is at the provider now.
CREATE TABLE assim.sso_attempts (
    hash       bytea PRIMARY KEY,                   -- of the browser's cookie
    tenant     uuid NOT NULL REFERENCES assim.tenants ON DELETE CASCADE,
    issuer     text NOT NULL,
    state      bytea NOT NULL,                      -- SHA-256
    nonce      text NOT NULL,
    verifier   text NOT NULL,                       -- PKCE
    next       text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);

-- Who did it from where, and what it was like before and after.
ALTER TABLE assim.audit
    ADD COLUMN user_id uuid,
    ADD COLUMN address text NOT NULL DEFAULT '',
    ADD COLUMN before  jsonb,
    ADD COLUMN after   jsonb;
CREATE INDEX ON assim.audit (tenant, at, id);

-- The caller's tenant is that of the role it has set: this function runs as the
-- owner of the table.
-- +goose StatementBegin
CREATE FUNCTION assim.rename_tenant(new_name text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
    AS $$
DECLARE own uuid;
BEGIN
    SELECT r.tenant INTO STRICT own FROM assim.tenant_roles r WHERE r.role = current_setting('role') AND starts_with(r.role, 'w_');
    UPDATE assim.tenants SET name = new_name WHERE id = own;
END $$;
-- +goose StatementEnd
