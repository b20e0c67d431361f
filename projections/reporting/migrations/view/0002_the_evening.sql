-- What an evening and its reports need: who sat and who did not come, the waitlist, shifts
-- with what they could have seated, and in the audit what brought each change about. It must
-- be filled from the past, so the tables are made anew and the ledger is read again.

DELETE FROM checkpoints WHERE name = '{checkpoint}';

DROP TABLE {p}reservations;
CREATE TABLE {p}reservations (
    reservation_id    {text} PRIMARY KEY,
    restaurant_id     {text} NOT NULL,
    service_date      {text} NOT NULL,
    number            INTEGER NOT NULL, -- in the day's book, from 1
    diner_id          {text},           -- none for a guest without an account
    party             INTEGER NOT NULL,
    status            {text} NOT NULL,  -- pending, confirmed, seated, completed, cancelled, expired, no_show, moved, withdrawn
    slot_time         {text} NOT NULL,  -- what clocks at the restaurant show, HH:MM
    shift             {text} NOT NULL,
    starts_at         BIGINT NOT NULL,
    ends_at           BIGINT NOT NULL,  -- of the turn
    occupied_until    BIGINT NOT NULL,  -- the turn and the buffer after it
    expires_at        BIGINT,           -- of the hold; none once it was confirmed
    confirmation_code {text} NOT NULL,
    source            {text} NOT NULL,  -- who held it: diner, staff, import, system
    origin            {text} NOT NULL,  -- how it came to be: booking, walk_in, waitlist, move, import
    held_at           BIGINT NOT NULL,
    confirmed_at      BIGINT,
    seated_at         BIGINT,           -- the first of the party
    ended_at          BIGINT,           -- when the party left, or it came to nothing
    cancelled_by      {text},           -- diner, restaurant
    late              BOOLEAN NOT NULL, -- cancelled after the last free cancellation
    covers            INTEGER NOT NULL, -- who sit, or sat
    exception         BOOLEAN NOT NULL, -- kept though the plan would not have it
    conflicts         INTEGER NOT NULL, -- in which it contradicts the day, and staff are to resolve
    import_batch      {text},           -- with which it was recorded as a fact
    waitlist_id       {text},           -- whom it was offered to
    moved_from        {text},
    moved_to          {text},
    revision          BIGINT NOT NULL,
    position          BIGINT NOT NULL
) {clustered};
CREATE INDEX reservations_by_diner_{g} ON {p}reservations (diner_id, held_at, reservation_id) WHERE diner_id IS NOT NULL;
CREATE INDEX reservations_by_day_{g} ON {p}reservations (restaurant_id, service_date, number);

DROP TABLE {p}reservation_tables;
CREATE TABLE {p}reservation_tables (
    reservation_id {text} NOT NULL,
    table_id       {text} NOT NULL,
    restaurant_id  {text} NOT NULL,
    service_date   {text} NOT NULL,
    starts_at      BIGINT NOT NULL,
    occupied_until BIGINT NOT NULL,
    seats          INTEGER NOT NULL, -- of the table, in the day's plan
    live           BOOLEAN NOT NULL, -- promised, or had: the party sat there
    revision       BIGINT NOT NULL,
    PRIMARY KEY (reservation_id, table_id)
) {clustered};

DROP TABLE {p}days;
CREATE TABLE {p}days (
    restaurant_id     {text} NOT NULL,
    service_date      {text} NOT NULL,
    opened_at         BIGINT,                     -- none while all that is known is refused demand
    plan_revision     BIGINT,                     -- of the restaurant's stream the plan was made from
    tables            INTEGER NOT NULL DEFAULT 0, -- in the plan
    seats             INTEGER NOT NULL DEFAULT 0, -- the most these tables seat
    slots             INTEGER NOT NULL DEFAULT 0, -- in the plan; 0 is a day on which it is closed
    reservations      INTEGER NOT NULL DEFAULT 0, -- ever entered: the nine below add up to it
    pending           INTEGER NOT NULL DEFAULT 0,
    confirmed         INTEGER NOT NULL DEFAULT 0, -- and not there yet
    seated            INTEGER NOT NULL DEFAULT 0,
    completed         INTEGER NOT NULL DEFAULT 0,
    cancelled         INTEGER NOT NULL DEFAULT 0,
    expired           INTEGER NOT NULL DEFAULT 0,
    no_show           INTEGER NOT NULL DEFAULT 0,
    moved             INTEGER NOT NULL DEFAULT 0,
    withdrawn         INTEGER NOT NULL DEFAULT 0,
    walk_ins          INTEGER NOT NULL DEFAULT 0, -- of the seated and completed
    covers            INTEGER NOT NULL DEFAULT 0, -- people of the pending, confirmed, seated and completed
    covers_seated     INTEGER NOT NULL DEFAULT 0, -- who sit, or sat
    covers_no_show    INTEGER NOT NULL DEFAULT 0, -- people who did not come
    waitlist          INTEGER NOT NULL DEFAULT 0, -- ever joined: the four below add up to it
    waitlist_waiting  INTEGER NOT NULL DEFAULT 0,
    waitlist_offered  INTEGER NOT NULL DEFAULT 0,
    waitlist_accepted INTEGER NOT NULL DEFAULT 0,
    waitlist_left     INTEGER NOT NULL DEFAULT 0,
    refused           BIGINT NOT NULL DEFAULT 0,  -- requests turned away
    revision          BIGINT,                     -- none while the day is not opened
    position          BIGINT,
    PRIMARY KEY (restaurant_id, service_date)
) {clustered};

CREATE TABLE {p}day_shifts (
    restaurant_id  {text} NOT NULL,
    service_date   {text} NOT NULL,
    shift          {text} NOT NULL,
    starts_at      BIGINT NOT NULL,  -- its first slot
    last_slot_at   BIGINT NOT NULL,
    closes_at      BIGINT NOT NULL,
    slots          INTEGER NOT NULL, -- 0: the plan has this shift no longer
    tables         INTEGER NOT NULL,
    seats          INTEGER NOT NULL,
    table_minutes  BIGINT NOT NULL,  -- that its tables could be taken, blocks left out
    seat_minutes   BIGINT NOT NULL,  -- likewise of their seats
    revision       BIGINT NOT NULL,
    PRIMARY KEY (restaurant_id, service_date, shift)
) {clustered};

CREATE TABLE {p}waitlist_entries (
    waitlist_id    {text} PRIMARY KEY,
    restaurant_id  {text} NOT NULL,
    service_date   {text} NOT NULL,
    entry          INTEGER NOT NULL, -- of the day's waitlist, from 1
    diner_id       {text},
    party          INTEGER NOT NULL,
    status         {text} NOT NULL,  -- waiting, offered, accepted, left
    walk_in        BOOLEAN NOT NULL, -- it waits at the door
    earliest       BIGINT NOT NULL,  -- the first
    latest         BIGINT NOT NULL,  -- and the last start that it would take
    quoted_for     BIGINT,           -- when it was told there would be a table
    joined_at      BIGINT NOT NULL,
    offered_at     BIGINT,           -- the last offer
    ended_at       BIGINT,           -- when it accepted or left
    left_because   {text},
    passed_over    INTEGER NOT NULL, -- how often another was offered a table before it
    reservation_id {text},           -- what it was offered last
    revision       BIGINT NOT NULL,
    position       BIGINT NOT NULL
) {clustered};
CREATE INDEX waitlist_entries_by_day_{g} ON {p}waitlist_entries (restaurant_id, service_date, entry);

DROP TABLE {p}refusals;
CREATE TABLE {p}refusals (
    position        {sequence} PRIMARY KEY,
    event_id        {text} NOT NULL,
    restaurant_id   {text} NOT NULL,
    service_date    {text} NOT NULL,
    code            {text} NOT NULL,  -- the rule that refused, as in docs/errors
    party           INTEGER NOT NULL,
    slot_time       {text},           -- what was asked for: a clock time
    starts_at       BIGINT,           -- and the instant
    shift           {text},           -- none where the day had no such slot
    asked_by        {text},           -- diner, staff, import
    wished_table_id {text},
    wished_area     {text},
    override        {text},           -- the rule that staff asked to set aside
    decided_at      BIGINT NOT NULL,
    day_revision    BIGINT            -- of the day's stream it was decided on; none if not opened
);
CREATE INDEX refusals_by_day_{g} ON {p}refusals (restaurant_id, service_date, code);

DELETE FROM {p}restaurants;

DROP TABLE {p}audit_entries;
CREATE TABLE {p}audit_entries (
    position       {sequence} PRIMARY KEY,
    event_id       {text} NOT NULL,
    stream         {text} NOT NULL,
    revision       BIGINT NOT NULL,  -- of the event in its stream
    restaurant_id  {text},           -- none for an account's own
    account_id     {text},           -- whose account changed
    service_date   {text},           -- none for a change of the restaurant itself
    reservation_id {text},
    waitlist_id    {text},
    type           {text} NOT NULL,
    actor_kind     {text} NOT NULL,  -- diner, staff, system, import
    actor_id       {text},
    role           {text},           -- what the actor was there then
    api_key        {text},
    process        {text},           -- the process manager that acted
    decided_at     BIGINT NOT NULL,
    recorded_at    BIGINT NOT NULL,
    command_id     {text},
    request_id     {text},
    cause          {text},           -- the event, or the import, that made the command
    correlation    {text},           -- shared by all that follows from one request
    reason         {text},           -- why, as a word of this program
    reason_given   BOOLEAN NOT NULL, -- somebody also said why in words, which stand in the event
    before         {text},           -- JSON: what the event changed, as it was
    after          {text}            -- JSON: and as it is since
);
CREATE INDEX audit_entries_by_restaurant_{g} ON {p}audit_entries (restaurant_id, decided_at, position) WHERE restaurant_id IS NOT NULL;
CREATE INDEX audit_entries_by_day_{g} ON {p}audit_entries (restaurant_id, service_date, decided_at, position) WHERE service_date IS NOT NULL;
CREATE INDEX audit_entries_by_reservation_{g} ON {p}audit_entries (reservation_id, decided_at, position) WHERE reservation_id IS NOT NULL;
CREATE INDEX audit_entries_by_actor_{g} ON {p}audit_entries (actor_id, decided_at, position) WHERE actor_id IS NOT NULL;
CREATE INDEX audit_entries_by_account_{g} ON {p}audit_entries (account_id, decided_at, position) WHERE account_id IS NOT NULL;

DELETE FROM {p}parked_records;
