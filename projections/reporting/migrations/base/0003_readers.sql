-- The roles of Postgres that may read the live tables. Whatever makes tables anew gives them
-- the new ones, and takes from them those that were replaced. SQLite has no roles.
CREATE TABLE readers (
    role       {text} PRIMARY KEY,
    granted_at BIGINT NOT NULL
);
