-- The tables that stand beside the live ones: those that a rebuild fills, and those that the
-- last one replaced, which are kept to go back to.
CREATE TABLE view_copies (
    prefix  {text} PRIMARY KEY, -- of its tables' names
    version INTEGER NOT NULL,   -- of its tables
    build   {text} NOT NULL,    -- the program that fills it
    made_at BIGINT NOT NULL
);
