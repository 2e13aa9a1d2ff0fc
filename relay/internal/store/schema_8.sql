-- The newest wire.KeyStatement of the site's keys, and what the next of them has
-- signed. site_key is the oldest that is good.
ALTER TABLE relay ADD COLUMN site_keys BLOB;
ALTER TABLE relay ADD COLUMN next_certificate BLOB;
ALTER TABLE relay ADD COLUMN next_revocation BLOB;
ALTER TABLE relays ADD COLUMN next_certificate BLOB NOT NULL DEFAULT x'';
-- The sequence of the newest statement that the host's probe has; 0: none.
ALTER TABLE hosts ADD COLUMN site_keys INTEGER NOT NULL DEFAULT 0;
