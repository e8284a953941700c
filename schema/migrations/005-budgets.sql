-- Version 4 → 5: alerts of budgets, calls that were priced again.
CREATE TABLE budget_alert (
    id           TEXT PRIMARY KEY,
    budget       TEXT NOT NULL,
    scope        TEXT NOT NULL,
    period       TEXT NOT NULL,
    period_start INTEGER,
    period_end   INTEGER,
    pico_limit   INTEGER NOT NULL,
    pico_spent   INTEGER NOT NULL,
    threshold    INTEGER NOT NULL,
    stop         INTEGER NOT NULL,
    decided      REAL NOT NULL,
    published    REAL
) WITHOUT ROWID;
CREATE INDEX budget_alert_open ON budget_alert (decided) WHERE published IS NULL;
CREATE TABLE recost (
    id      INTEGER PRIMARY KEY,
    started REAL NOT NULL,
    ended   REAL,
    changed INTEGER NOT NULL DEFAULT 0
);
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
PRAGMA user_version = 5;
