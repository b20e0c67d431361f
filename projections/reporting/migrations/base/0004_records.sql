-- A position says nothing once the ledger was restored to an earlier state and has grown past
-- it. So the newest record that was worked in is named beside it.
ALTER TABLE checkpoints ADD COLUMN record {text} NOT NULL DEFAULT ''; -- '' where it was not written down
