-- The newest wire.Revocation that the service gave for the site's probes.
ALTER TABLE relay ADD COLUMN revocation BLOB;
