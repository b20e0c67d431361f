-- Whether a reservation's tables are its party's own, and which of all that it ever had
-- these are. It must be filled from the past, so the tables are emptied and the ledger is
-- read again.

DELETE FROM checkpoints WHERE name = '{checkpoint}';

DELETE FROM {p}reservations;
ALTER TABLE {p}reservations ADD COLUMN bound BOOLEAN NOT NULL DEFAULT FALSE; -- pinned, chosen by staff, or sat at

DELETE FROM {p}reservation_tables;
ALTER TABLE {p}reservation_tables ADD COLUMN given_up BOOLEAN NOT NULL DEFAULT FALSE; -- the party has others instead

DELETE FROM {p}days;
DELETE FROM {p}day_shifts;
DELETE FROM {p}waitlist_entries;
DELETE FROM {p}refusals;
DELETE FROM {p}restaurants;
DELETE FROM {p}audit_entries;
DELETE FROM {p}parked_records;
