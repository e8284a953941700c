-- The log: SQLite, WAL. stenod writes events and calls; steno-cost writes `cost` and `spend`, together with its cursor;
-- steno recost corrects them.
-- People and tools read the view `calls`. Times are Unix seconds (REAL), texts UTF-8, JSON columns JSON text.

-- Who published: one row for each life of a client (the daemon itself is one too).
CREATE TABLE publisher (
    id         INTEGER PRIMARY KEY,
    uuid       BLOB NOT NULL UNIQUE CHECK (length(uuid) = 16),
    app        TEXT,
    host       TEXT,
    pid        INTEGER,
    version    TEXT,
    next       INTEGER NOT NULL DEFAULT 1,  -- the sequence number that is stored next
    first_seen REAL NOT NULL,
    last_seen  REAL NOT NULL,
    ended      REAL                         -- its process is gone and all it wrote is stored
);

-- The journal: every event as it came, what `replay` reads. Kept for days; the last row is always kept, so that offsets never repeat.
CREATE TABLE event (
    offset    INTEGER PRIMARY KEY,          -- 1, 2, 3, …: the order of storing
    publisher INTEGER REFERENCES publisher (id), -- NULL: a foreign publisher without sequence numbers
    seq       INTEGER,
    time      REAL NOT NULL,                -- field `time`, else when it was stored
    stored    REAL NOT NULL,                -- by the daemon's clock
    event     TEXT NOT NULL,
    call_id   TEXT,
    topic     TEXT NOT NULL,
    body      BLOB NOT NULL                 -- msgpack, schema/EVENTS.md
);
CREATE INDEX event_call ON event (call_id) WHERE call_id IS NOT NULL;

-- One row: what the journal takes, with 128 bytes an event beside its body.
CREATE TABLE journal (
    bytes INTEGER NOT NULL
);
INSERT INTO journal VALUES (0);

-- One row a call, kept as long as the user likes. Narrow, so that reports scan little: the long texts are in `content`.
CREATE TABLE call (
    id                    INTEGER PRIMARY KEY,
    call_id               TEXT NOT NULL UNIQUE,
    publisher             INTEGER REFERENCES publisher (id),
    status                TEXT NOT NULL DEFAULT 'pending'
                          -- (an IN of three makes SQLite build a temporary index for each row inserted)
                          CHECK (CASE status WHEN 'pending' THEN 1 WHEN 'success' THEN 1 WHEN 'failure' THEN 1 ELSE 0 END),
    started               REAL NOT NULL,
    ended                 REAL,
    first_token           REAL,             -- streams only
    app                   TEXT,
    provider              TEXT,
    model                 TEXT,
    call_type             TEXT,
    stream                INTEGER NOT NULL DEFAULT 0,
    cache_hit             INTEGER NOT NULL DEFAULT 0,
    attempts              INTEGER NOT NULL DEFAULT 0,
    prompt_tokens         INTEGER,          -- includes cached and cache-written; NULL: not reported
    cached_tokens         INTEGER,
    cache_write_tokens    INTEGER,
    cache_write_1h_tokens INTEGER,
    completion_tokens     INTEGER,          -- includes reasoning
    reasoning_tokens      INTEGER,
    total_tokens          INTEGER,
    user                  TEXT,
    session_id            TEXT,
    trace_id              TEXT,
    parent_id             TEXT,
    tags                  TEXT,             -- JSON array
    metadata              TEXT,             -- JSON object
    finish_reason         TEXT,
    error_type            TEXT,
    error_message         TEXT,
    error_status          INTEGER
);
CREATE INDEX call_started ON call (started);
CREATE INDEX call_pending ON call (publisher) WHERE status = 'pending';

-- The long texts of a call.
CREATE TABLE content (
    call          INTEGER PRIMARY KEY REFERENCES call (id),
    messages      TEXT,                     -- JSON: `messages`, or `input` of an embedding
    response      TEXT,                     -- JSON, OpenAI-shaped; of a cut stream, what had come
    response_text TEXT                      -- the text of the first choice
);

-- What a call cost: schema/COSTS.md. Written by steno-cost, once a call.
CREATE TABLE cost (
    call_id      TEXT PRIMARY KEY,
    offset       INTEGER NOT NULL,          -- of the event that it was computed from
    pico_dollars INTEGER,                   -- 1e-12 US dollars; NULL: price or usage unknown
    source       TEXT NOT NULL              -- cache, table, reported, estimated, unknown
                 CHECK (CASE source WHEN 'table' THEN 1 WHEN 'reported' THEN 1 WHEN 'cache' THEN 1 WHEN 'estimated' THEN 1 WHEN 'unknown' THEN 1
                        ELSE 0 END),
    price_model  TEXT,                      -- the price entry that was used
    price_date   TEXT,                      -- when its figures were true
    saved        INTEGER,                   -- pico-dollars that an answer from the cache would have cost; NULL: none, or unknown
    price_source TEXT,                      -- built-in, imported, own
    reported     INTEGER,                   -- pico-dollars by the provider's own account; NULL: it gave none
    breakdown    TEXT,                      -- JSON: component → [quantity, pico-dollars each, key of the price where it is not the component's own]
    facts        TEXT                       -- JSON: what pricing needs beside table `call`; NULL: nothing; not_kept: of a Steno that did not keep it
) WITHOUT ROWID;

-- Sums of ended calls by when they started, in quarters of an hour (every time zone is a multiple of that), and by each of their dimensions. A call
-- with two tags counts for both; `all` is each call once. They stay when calls are deleted.
CREATE TABLE spend (
    kind               TEXT NOT NULL,       -- all, model, provider, app, user, tag
    name               TEXT NOT NULL,       -- '': of `all`, and where a call has none
    slot               INTEGER NOT NULL,    -- Unix seconds / 900
    calls              INTEGER NOT NULL,
    failures           INTEGER NOT NULL,
    unpriced           INTEGER NOT NULL,    -- no figure, though something was received
    priced             INTEGER NOT NULL,    -- a figure
    estimated          INTEGER NOT NULL,    -- of those, by estimated tokens
    prompt_tokens      INTEGER NOT NULL,
    cached_tokens      INTEGER NOT NULL,
    completion_tokens  INTEGER NOT NULL,
    pico_dollars       INTEGER NOT NULL,
    saved              INTEGER NOT NULL,
    reported           INTEGER NOT NULL,
    PRIMARY KEY (kind, name, slot)
) WITHOUT ROWID;

-- The same by local day, for people.
CREATE VIEW spend_daily AS
SELECT date(slot * 900, 'unixepoch', 'localtime') AS day, kind, name, sum(calls) AS calls, sum(failures) AS failures,
       sum(unpriced) AS unpriced, sum(prompt_tokens) AS prompt_tokens, sum(cached_tokens) AS cached_tokens,
       sum(completion_tokens) AS completion_tokens, total(pico_dollars) / 1e12 AS cost_usd, total(saved) / 1e12 AS saved_usd
  FROM spend
 GROUP BY 1, 2, 3;

-- Thresholds of budgets that were reached: decided in the transaction of the rows that reached them, published after it.
CREATE TABLE budget_alert (
    id           TEXT PRIMARY KEY,          -- made of scope, period, its start, limit and threshold; `alert_id` of the event
    budget       TEXT NOT NULL,             -- its name then
    scope        TEXT NOT NULL,
    period       TEXT NOT NULL,
    period_start INTEGER,                   -- Unix seconds; NULL: of `total`, as is the next
    period_end   INTEGER,
    pico_limit   INTEGER NOT NULL,
    pico_spent   INTEGER NOT NULL,
    threshold    INTEGER NOT NULL,          -- per cent
    stop         INTEGER NOT NULL,
    decided      REAL NOT NULL,
    published    REAL                       -- NULL: it is not in a spool yet
) WITHOUT ROWID;
CREATE INDEX budget_alert_open ON budget_alert (decided) WHERE published IS NULL;

-- One row each time that calls were priced again (steno recost).
CREATE TABLE recost (
    id      INTEGER PRIMARY KEY,
    started REAL NOT NULL,
    ended   REAL,                           -- NULL: under way, or cut off
    changed INTEGER NOT NULL DEFAULT 0      -- calls with another figure
);

-- What the cost of a call was before it was priced again.
CREATE TABLE cost_old (
    call_id      TEXT NOT NULL,
    recost       INTEGER NOT NULL REFERENCES recost (id),
    pico_dollars INTEGER,
    source       TEXT NOT NULL,
    price_model  TEXT,
    price_date   TEXT,
    saved        INTEGER,
    price_source TEXT,
    reported     INTEGER,
    breakdown    TEXT,
    PRIMARY KEY (call_id, recost)
) WITHOUT ROWID;

-- How far each subscriber has come.
CREATE TABLE subscriber (
    name    TEXT PRIMARY KEY,
    offset  INTEGER NOT NULL DEFAULT 0,     -- everything up to and including it is handled
    updated REAL NOT NULL
) WITHOUT ROWID;

-- What could not be kept, and why.
CREATE TABLE loss (
    id        INTEGER PRIMARY KEY,
    time      REAL NOT NULL,
    publisher INTEGER REFERENCES publisher (id),
    first_seq INTEGER,
    last_seq  INTEGER,
    count     INTEGER NOT NULL,
    reason    TEXT NOT NULL,
    file      TEXT                          -- the damaged file, kept aside
);
CREATE INDEX loss_publisher ON loss (publisher);

-- The columns and their order are a promise: new ones come last.
CREATE VIEW calls AS
SELECT call.call_id,
       strftime('%Y-%m-%dT%H:%M:%fZ', call.started, 'unixepoch') AS started_at,
       call.app,
       call.provider,
       call.model,
       call.call_type,
       call.stream,
       call.status,
       call.cache_hit,
       call.attempts,
       round((call.ended - call.started) * 1000, 1)       AS latency_ms,
       round((call.first_token - call.started) * 1000, 1) AS ttft_ms,
       call.prompt_tokens,
       call.cached_tokens,
       call.cache_write_tokens,
       call.completion_tokens,
       call.reasoning_tokens,
       call.total_tokens,
       cost.pico_dollars / 1e12 AS cost_usd,
       call.user,
       call.session_id,
       call.trace_id,
       call.tags,
       call.metadata,
       content.messages,
       content.response,
       content.response_text,
       call.finish_reason,
       call.error_type,
       call.error_message,
       call.error_status,
       cost.source          AS cost_source,
       cost.reported / 1e12 AS reported_cost_usd
  FROM call
  LEFT JOIN content ON content.call = call.id
  LEFT JOIN cost ON cost.call_id = call.call_id;

PRAGMA user_version = 6;
