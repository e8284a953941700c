-- Version 2 → 3: what answers from the cache saved.
ALTER TABLE cost ADD COLUMN saved INTEGER;
PRAGMA user_version = 3;
