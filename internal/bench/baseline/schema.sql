CREATE TABLE restaurants (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id      text   NOT NULL UNIQUE,
    time_zone      text   NOT NULL,
    day_boundary   int    NOT NULL,
    hold_minutes   int    NOT NULL,
    horizon_days   int    NOT NULL,
    notice_minutes int    NOT NULL,
    buffer_minutes int    NOT NULL,
    pacing_covers  int    NOT NULL,
    version        bigint NOT NULL DEFAULT 1
);

CREATE TABLE turn_times (
    restaurant  bigint NOT NULL REFERENCES restaurants,
    up_to_party int    NOT NULL,
    minutes     int    NOT NULL,
    PRIMARY KEY (restaurant, up_to_party)
);

CREATE TABLE shifts (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    restaurant   bigint NOT NULL REFERENCES restaurants,
    weekdays     text[] NOT NULL,
    name         text   NOT NULL,
    opens        int    NOT NULL,
    last_seating int    NOT NULL,
    closes       int    NOT NULL,
    slot_minutes int    NOT NULL
);
CREATE INDEX shifts_of_restaurant ON shifts (restaurant);

CREATE TABLE dining_tables (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    restaurant  bigint NOT NULL REFERENCES restaurants,
    public_id   text   NOT NULL UNIQUE,
    number      text   NOT NULL,
    min_party   int    NOT NULL,
    max_party   int    NOT NULL,
    area        text   NOT NULL,
    floor_order int    NOT NULL,
    UNIQUE (restaurant, number)
);

-- One row a day, locked by whoever changes the day. Half-filled pages leave room for the
-- row's next version beside it, so no index has to be touched.
CREATE TABLE days (
    restaurant   bigint NOT NULL REFERENCES restaurants,
    service_date int    NOT NULL,
    entries      int    NOT NULL DEFAULT 0,
    revision     bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (restaurant, service_date)
) WITH (fillfactor = 50);

-- Instants are milliseconds since 1970. There are no foreign keys: the one transaction that
-- writes here has just read the day and the table, and their checks would only cost.
CREATE TABLE reservations (
    restaurant     bigint NOT NULL,
    service_date   int    NOT NULL,
    number         int    NOT NULL,
    dining_table   bigint NOT NULL,
    party          int    NOT NULL,
    slot           text   NOT NULL,
    starts_at      bigint NOT NULL,
    ends_at        bigint NOT NULL,
    occupied_until bigint NOT NULL, -- the buffer included
    expires_at     bigint,          -- of a hold; null where it is firm
    status         text   NOT NULL,
    diner          text   NOT NULL,
    code           text   NOT NULL,
    created_at     bigint NOT NULL,
    PRIMARY KEY (restaurant, service_date, number)
);
-- All that a decision asks is in the index, and only what still binds.
CREATE INDEX reservations_binding ON reservations (restaurant, service_date, dining_table, starts_at)
    INCLUDE (occupied_until, expires_at, party)
    WHERE status IN ('pending', 'confirmed');

CREATE TABLE idempotency (
    key        bytea  PRIMARY KEY,
    body_hash  bytea  NOT NULL,
    answer     jsonb  NOT NULL,
    created_at bigint NOT NULL
);

CREATE TABLE audit (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    restaurant   bigint NOT NULL,
    service_date int    NOT NULL,
    number       int    NOT NULL,
    type         text   NOT NULL,
    actor        text   NOT NULL,
    request_id   text   NOT NULL,
    at           bigint NOT NULL,
    before       text,
    after        text
);
CREATE INDEX audit_of_restaurant ON audit (restaurant, id);
