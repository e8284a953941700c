#!/bin/sh
# A handler in shell: each failed call as a line of text. Nothing is missed while it is away: its place is kept under its name.
# For one-off looks there is also: steno tail --json failure. | jq -r .error.message
set -eu
if [ "${STENO_EVENT:-}" = "" ]; then
  exec steno-exec --name "${1:-failures}" failure. -- "$0"
fi
jq -r '"\(.offset) \(.model): \(.error.type): \(.error.message)"'
