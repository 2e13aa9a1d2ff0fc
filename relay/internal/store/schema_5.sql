-- residency: what the tenant last decided, 'site' or 'replicate'. decision names
-- that decision and the rules by which facts were last held back; another one
-- makes this relay tell anew what now may leave.
ALTER TABLE relay ADD COLUMN residency TEXT NOT NULL DEFAULT 'site';
ALTER TABLE relay ADD COLUMN decision TEXT NOT NULL DEFAULT '';

-- Hosts up to this id were told of anew; NULL: all were.
ALTER TABLE stream ADD COLUMN retelling BLOB;

-- 1 while what was told under 'replicate', or by a program without residency, is
-- still to be taken back.
ALTER TABLE relay ADD COLUMN withdraw INTEGER NOT NULL DEFAULT 0;
