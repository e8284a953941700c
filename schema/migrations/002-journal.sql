-- Version 1 → 2: when an event was stored, and how large the journal is: what its retention goes by.
ALTER TABLE event ADD COLUMN stored REAL NOT NULL DEFAULT 0;
UPDATE event SET stored = time;
CREATE TABLE journal (
    bytes INTEGER NOT NULL
);
INSERT INTO journal SELECT coalesce(sum(length(body)), 0) + 128 * count(*) FROM event;
PRAGMA user_version = 2;
