-- Version 5 → 6: what was added to the view `calls` comes last, so that the columns before keep their places.
DROP VIEW calls;
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
