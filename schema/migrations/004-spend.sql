-- Version 3 → 4: breakdowns, roll-ups of what was spent. What pricing the calls of before took was not kept: `steno recost` leaves them as they are.
DROP VIEW calls;
ALTER TABLE cost RENAME TO cost_3;
CREATE TABLE cost (
    call_id      TEXT PRIMARY KEY,
    offset       INTEGER NOT NULL,
    pico_dollars INTEGER,
    source       TEXT NOT NULL
                 CHECK (CASE source WHEN 'table' THEN 1 WHEN 'reported' THEN 1 WHEN 'cache' THEN 1 WHEN 'estimated' THEN 1 WHEN 'unknown' THEN 1
                        ELSE 0 END),
    price_model  TEXT,
    price_date   TEXT,
    saved        INTEGER,
    price_source TEXT,
    reported     INTEGER,
    breakdown    TEXT,
    facts        TEXT
) WITHOUT ROWID;
INSERT INTO cost (call_id, offset, pico_dollars, source, price_model, price_date, saved, price_source, facts)
SELECT call_id, offset, pico_dollars, source, price_model, price_date, saved, CASE source WHEN 'table' THEN 'built-in' END, '{"not_kept":true}' FROM cost_3;
DROP TABLE cost_3;
CREATE TABLE spend (
    kind               TEXT NOT NULL,
    name               TEXT NOT NULL,
    slot               INTEGER NOT NULL,
    calls              INTEGER NOT NULL,
    failures           INTEGER NOT NULL,
    unpriced           INTEGER NOT NULL,
    priced             INTEGER NOT NULL,
    estimated          INTEGER NOT NULL,
    prompt_tokens      INTEGER NOT NULL,
    cached_tokens      INTEGER NOT NULL,
    completion_tokens  INTEGER NOT NULL,
    pico_dollars       INTEGER NOT NULL,
    saved              INTEGER NOT NULL,
    reported           INTEGER NOT NULL,
    PRIMARY KEY (kind, name, slot)
) WITHOUT ROWID;
CREATE VIEW spend_daily AS
SELECT date(slot * 900, 'unixepoch', 'localtime') AS day, kind, name, sum(calls) AS calls, sum(failures) AS failures,
       sum(unpriced) AS unpriced, sum(prompt_tokens) AS prompt_tokens, sum(cached_tokens) AS cached_tokens,
       sum(completion_tokens) AS completion_tokens, total(pico_dollars) / 1e12 AS cost_usd, total(saved) / 1e12 AS saved_usd
  FROM spend
 GROUP BY 1, 2, 3;
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
       cost.source              AS cost_source,
       cost.reported / 1e12     AS reported_cost_usd,
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
       call.error_status
  FROM call
  LEFT JOIN content ON content.call = call.id
  LEFT JOIN cost ON cost.call_id = call.call_id;
CREATE VIEW ended AS
SELECT CAST(call.started / 900 AS INTEGER) AS slot, call.model, call.provider, call.app, call.user,
       CASE WHEN json_valid(call.tags) THEN call.tags END AS tags,
       call.status = 'failure' AS failed,
       cost.pico_dollars IS NULL AND NOT (call.status = 'failure' AND call.prompt_tokens IS NULL AND call.completion_tokens IS NULL
                                          AND call.first_token IS NULL) AS unpriced,
       cost.pico_dollars IS NOT NULL AS priced,
       coalesce(call.prompt_tokens, 0) AS prompt, coalesce(call.cached_tokens, 0) AS cached, coalesce(call.completion_tokens, 0) AS completion,
       coalesce(cost.pico_dollars, 0) AS pico, coalesce(cost.saved, 0) AS saved
  FROM call JOIN cost ON cost.call_id = call.call_id;
-- Row by row: grouping a large log would take as much memory.
INSERT INTO spend
SELECT kind, name, slot, 1, failed, unpriced, priced, 0, prompt, cached, completion, pico, saved, 0
  FROM (SELECT 'all' AS kind, '' AS name, * FROM ended
        UNION ALL SELECT 'model', coalesce(model, ''), * FROM ended
        UNION ALL SELECT 'provider', coalesce(provider, ''), * FROM ended
        UNION ALL SELECT 'app', coalesce(app, ''), * FROM ended
        UNION ALL SELECT 'user', coalesce(user, ''), * FROM ended
        UNION ALL SELECT 'tag', coalesce(tag.value, ''), ended.* FROM ended LEFT JOIN json_each(ended.tags) AS tag)
 WHERE true
    ON CONFLICT (kind, name, slot) DO UPDATE
   SET calls = calls + 1, failures = failures + excluded.failures, unpriced = unpriced + excluded.unpriced,
       priced = priced + excluded.priced, prompt_tokens = prompt_tokens + excluded.prompt_tokens,
       cached_tokens = cached_tokens + excluded.cached_tokens, completion_tokens = completion_tokens + excluded.completion_tokens,
       pico_dollars = pico_dollars + excluded.pico_dollars, saved = saved + excluded.saved;
DROP VIEW ended;
PRAGMA user_version = 4;
