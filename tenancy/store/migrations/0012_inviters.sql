-- +goose Up
-- An invitation ends with the membership of who made it. Of those that wait already
-- the inviter is found by the address that they say.
ALTER TABLE assim.invitations ADD COLUMN inviter uuid;
UPDATE assim.invitations i SET inviter = u.id FROM assim.users u WHERE u.email = split_part(i.invited_by, ' ', 1);
DELETE FROM assim.invitations i WHERE inviter IS NULL OR NOT EXISTS (SELECT FROM assim.members m WHERE m.tenant = i.tenant AND m.user_id = i.inviter);
ALTER TABLE assim.invitations ALTER COLUMN inviter SET NOT NULL,
    ADD FOREIGN KEY (inviter, tenant) REFERENCES assim.members (user_id, tenant) ON DELETE CASCADE;
CREATE INDEX invitations_inviter ON assim.invitations (inviter, tenant);
