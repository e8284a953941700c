#!/usr/bin/env bash
# The main job, for people to watch: calls are made through libsteno, a subscriber sees them live, the log is read. `./dev demo` runs it.
# With OPENAI_API_KEY it calls the real provider; without, the test provider on this machine.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
bin=${STENO_BIN:-$PWD/build/bin}
export PATH="$bin:$bin/examples:$PATH"

title() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || title() { printf '\n%s\n' "$*"; }

# A folder with a short path (socket paths are limited to 107 bytes), the same every time, begun anew.
export STENO_DIR="${TMPDIR:-/tmp}/steno-demo-$(id -u)"
rm -rf -- "$STENO_DIR"
mkdir -m 700 "$STENO_DIR"

pids=()
finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
}
trap finish EXIT

# wait_for WHAT COMMAND…: until the command succeeds, for 30 seconds at most.
wait_for() {
  local what=$1 i
  shift
  for ((i = 0; i < 600; i++)); do
    if "$@" >/dev/null 2>&1; then return 0; fi
    sleep 0.05
  done
  echo "demo: waited 30 seconds in vain for $what" >&2
  cat "$STENO_DIR"/*.log >&2
  exit 1
}

title "stenod, the daemon"
stenod 2>"$STENO_DIR/stenod.log" &
stenod_pid=$!
pids+=("$stenod_pid")
wait_for "stenod to answer" steno status
echo "runs in $STENO_DIR"

if [ -n "${OPENAI_API_KEY:-}" ]; then
  title "The provider"
  echo "is the real one (${OPENAI_BASE_URL:-https://api.openai.com/v1}), because OPENAI_API_KEY is set: these calls cost a little"
  options=()
  calls=26
  if [ -n "${ANTHROPIC_API_KEY:-}" ]; then
    options=(--other-model anthropic/claude-haiku-4-5)
    calls=27
  fi
else
  title "The provider"
  steno-test-provider >"$STENO_DIR/provider.url" 2>"$STENO_DIR/provider.log" &
  pids+=($!)
  wait_for "the test provider's address" test -s "$STENO_DIR/provider.url"
  OPENAI_BASE_URL=$(head -1 "$STENO_DIR/provider.url")
  OPENAI_BASE_URL="${OPENAI_BASE_URL%/v1}/faults/delay_ms=20;chunk_delay_ms=20/v1" # as slow as a quick one
  export OPENAI_BASE_URL OPENAI_API_KEY=sk-demo-0123456789abcdef
  echo "is a small one on this machine, $OPENAI_BASE_URL: set OPENAI_API_KEY to call the real one"
  root=${OPENAI_BASE_URL%%/faults*}
  export no_proxy="127.0.0.1${no_proxy:+,$no_proxy}"
  export ANTHROPIC_BASE_URL=$root ANTHROPIC_API_KEY=sk-ant-demo-0123456789abcdef
  options=(--refusing-base-url "$root/faults/status=429/v1" --retrying-base-url "$root/faults/fail_first=2;status=503;id=demo/v1"
    --other-model anthropic/claude-haiku-4-5)
  calls=28
fi

/usr/bin/python3 subscribers/examples/subscriber.py demo >"$STENO_DIR/live.txt" 2>"$STENO_DIR/subscriber.log" &
pids+=($!)

title "Calls through libsteno"
demo "${options[@]}"
steno flush
# Each call has one terminal event.
wait_for "the subscriber to see all calls" bash -c '[ "$(grep -cE "(success|failure)" "$STENO_DIR/live.txt")" -ge "$1" ]' - "$calls"
wait_for "steno-cost to price all calls" bash -c '[ "$(sqlite3 "$STENO_DIR/log.db" "select count(*) from cost")" -ge "$1" ]' - "$calls"

title "What a Python subscriber (subscribers/examples/subscriber.py) saw meanwhile: $(wc -l <"$STENO_DIR/live.txt") events, the last 8"
tail -8 "$STENO_DIR/live.txt" | cut -c1-"${COLUMNS:-120}"

title "steno logs"
steno logs -n 30
title "steno cost"
steno cost
query="select status, count(*) as calls, sum(total_tokens) as tokens, round(avg(latency_ms), 1) as avg_latency_ms, max(ttft_ms) as first_token_ms from calls group by status"
title "steno query \"$query\""
steno query "$query"

title "The log stays in $STENO_DIR/log.db:"
echo "sqlite3 $STENO_DIR/log.db 'select status, model, total_tokens, cost_usd, latency_ms, ttft_ms from calls'"
kill "$stenod_pid"
wait "$stenod_pid"
