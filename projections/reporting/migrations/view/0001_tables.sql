-- What analysts query; docs/reporting.md describes every column. Instants are milliseconds
-- since 1970-01-01T00:00:00Z, service dates are YYYY-MM-DD. A revision is that of the stream
-- which the row was last changed by, a position that of the record.

CREATE TABLE {p}reservations (
    reservation_id    {text} PRIMARY KEY,
    restaurant_id     {text} NOT NULL,
    service_date      {text} NOT NULL,
    number            INTEGER NOT NULL, -- in the day's book, from 1
    diner_id          {text},           -- none for a guest without an account
    party             INTEGER NOT NULL,
    status            {text} NOT NULL,  -- pending, confirmed, cancelled, expired
    slot_time         {text} NOT NULL,  -- what clocks at the restaurant show, HH:MM
    shift             {text} NOT NULL,
    starts_at         BIGINT NOT NULL,
    ends_at           BIGINT NOT NULL,  -- of the turn
    occupied_until    BIGINT NOT NULL,  -- the turn and the buffer after it
    expires_at        BIGINT,           -- of the hold; none once it was confirmed
    confirmation_code {text} NOT NULL,
    source            {text} NOT NULL,  -- who held it: diner, staff, import, system
    held_at           BIGINT NOT NULL,
    confirmed_at      BIGINT,
    ended_at          BIGINT,           -- when it was cancelled or its hold lapsed
    cancelled_by      {text},           -- diner, restaurant
    revision          BIGINT NOT NULL,
    position          BIGINT NOT NULL
) {clustered};
CREATE INDEX reservations_by_diner_{g} ON {p}reservations (diner_id, held_at, reservation_id) WHERE diner_id IS NOT NULL;
CREATE INDEX reservations_by_day_{g} ON {p}reservations (restaurant_id, service_date, number);

CREATE TABLE {p}reservation_tables (
    reservation_id {text} NOT NULL,
    table_id       {text} NOT NULL,
    restaurant_id  {text} NOT NULL,
    service_date   {text} NOT NULL,
    starts_at      BIGINT NOT NULL,
    occupied_until BIGINT NOT NULL,
    live           BOOLEAN NOT NULL, -- pending or confirmed: the table is promised
    revision       BIGINT NOT NULL,
    PRIMARY KEY (reservation_id, table_id)
) {clustered};

CREATE TABLE {p}days (
    restaurant_id {text} NOT NULL,
    service_date  {text} NOT NULL,
    opened_at     BIGINT,                     -- none while all that is known is refused demand
    plan_revision BIGINT,                     -- of the restaurant's stream the plan was made from
    tables        INTEGER NOT NULL DEFAULT 0, -- in the plan
    seats         INTEGER NOT NULL DEFAULT 0, -- the most these tables seat
    slots         INTEGER NOT NULL DEFAULT 0, -- in the plan; 0 is a day on which it is closed
    reservations  INTEGER NOT NULL DEFAULT 0, -- ever entered: the four below add up to it
    pending       INTEGER NOT NULL DEFAULT 0,
    confirmed     INTEGER NOT NULL DEFAULT 0,
    cancelled     INTEGER NOT NULL DEFAULT 0,
    expired       INTEGER NOT NULL DEFAULT 0,
    covers        INTEGER NOT NULL DEFAULT 0, -- people of the pending and confirmed
    refused       BIGINT NOT NULL DEFAULT 0,  -- requests turned away
    revision      BIGINT,                     -- none while the day is not opened
    position      BIGINT,
    PRIMARY KEY (restaurant_id, service_date)
) {clustered};

CREATE TABLE {p}refusals (
    position      {sequence} PRIMARY KEY,
    event_id      {text} NOT NULL,
    restaurant_id {text} NOT NULL,
    service_date  {text} NOT NULL,
    code          {text} NOT NULL,  -- the rule that refused, as in docs/errors
    party         INTEGER NOT NULL,
    slot_time     {text},           -- what was asked for: a clock time
    starts_at     BIGINT,           -- or an instant
    decided_at    BIGINT NOT NULL,
    day_revision  BIGINT            -- of the day's stream it was decided on; none if not opened
);
CREATE INDEX refusals_by_day_{g} ON {p}refusals (restaurant_id, service_date, code);

CREATE TABLE {p}restaurants (
    restaurant_id {text} PRIMARY KEY,
    name          {text} NOT NULL,
    cuisine       {text} NOT NULL,
    city          {text} NOT NULL,
    state         {text} NOT NULL,
    time_zone     {text} NOT NULL,
    price_level   INTEGER,          -- 1 to 4
    status        {text} NOT NULL,  -- draft, open
    tables        INTEGER NOT NULL, -- on the floor now
    seats         INTEGER NOT NULL,
    registered_at BIGINT NOT NULL,
    changed_at    BIGINT NOT NULL,
    revision      BIGINT NOT NULL,
    position      BIGINT NOT NULL
) {clustered};

CREATE TABLE {p}audit_entries (
    position       {sequence} PRIMARY KEY,
    event_id       {text} NOT NULL,
    stream         {text} NOT NULL,
    revision       BIGINT NOT NULL,  -- of the event in its stream
    restaurant_id  {text} NOT NULL,
    service_date   {text},           -- none for a change of the restaurant itself
    reservation_id {text},
    type           {text} NOT NULL,
    actor_kind     {text} NOT NULL,  -- diner, staff, system, import
    actor_id       {text},
    decided_at     BIGINT NOT NULL,
    recorded_at    BIGINT NOT NULL,
    command_id     {text},
    reason         {text},           -- why, as a word of this program
    reason_given   BOOLEAN NOT NULL, -- somebody also said why in words, which stand in the event
    before         {text},           -- JSON: what the event changed, as it was
    after          {text}            -- JSON: and as it is since
);
CREATE INDEX audit_entries_by_restaurant_{g} ON {p}audit_entries (restaurant_id, decided_at, position);
CREATE INDEX audit_entries_by_reservation_{g} ON {p}audit_entries (reservation_id, decided_at, position) WHERE reservation_id IS NOT NULL;
CREATE INDEX audit_entries_by_actor_{g} ON {p}audit_entries (actor_id, decided_at, position) WHERE actor_id IS NOT NULL;

CREATE TABLE {p}parked_records ( -- what could not be read, and is missing above; normally empty
    position {sequence} PRIMARY KEY,
    event_id {text} NOT NULL,
    stream   {text} NOT NULL,
    revision BIGINT NOT NULL,
    type     {text} NOT NULL,
    cause    {text} NOT NULL
);
