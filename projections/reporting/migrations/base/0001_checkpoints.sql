-- How far each reader of the ledger has come. The reporting view's own line moves in the
-- transaction that writes its rows. A rebuild leaves this table alone.
CREATE TABLE checkpoints (
    name       {text} PRIMARY KEY,
    position   BIGINT NOT NULL, -- all records up to and including it have been worked in
    updated_at BIGINT NOT NULL
);
