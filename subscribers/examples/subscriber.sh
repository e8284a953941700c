#!/usr/bin/env bash
# Prints a line for each event: in order, and none is missed, whoever is killed or restarted. How far it has come is in a file of its own, written
# after each event was handled, so the one in hand at a crash comes again. Needs steno and jq. With a command for each event, steno-exec does all
# this by itself: shell.sh.
set -eu
if [ $# -eq 0 ] || [ "${1#-}" != "$1" ]; then
  echo "usage: subscriber.sh NAME [TOPIC...]" >&2
  exit 2
fi
state=${STENO_DIR:-${XDG_STATE_HOME:-$HOME/.local/state}/steno}
cursor=$state/cursor-$1
shift

handle() { echo "$*"; }

while :; do # steno tail waits for a daemon that was restarted, but not for one that was never there
  last=$(cat "$cursor" 2>/dev/null || echo 0)
  while read -r offset event provider model call_id; do
    handle "$offset" "$event" "$provider" "$model" "$call_id"
    echo "$offset" >"$cursor.new"
    mv "$cursor.new" "$cursor"
  done < <(steno tail --json --from "$((last + 1))" "$@" |
    jq --unbuffered -r '[.offset, .event, .provider // "-", .model // "-", .call_id // "-"] | map(tostring | gsub("\\s"; "_")) | join(" ")')
  sleep 1
done
