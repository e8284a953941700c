#!/bin/sh
# set_up.sh FOLDER: puts the decoder of the tests into FOLDER: OpenTelemetry's message definitions out of an npm package, made into Python by Google's compiler.
set -eu
from=$(dirname "$(readlink -f "$0")") to=$1
if [ -e "$to/python/done" ] && cmp -s "$from/package-lock.json" "$to/package-lock.json"; then
  exit 0
fi
rm -rf "$to"
mkdir -p "$to/python"
cp "$from/package.json" "$from/package-lock.json" "$to"
(cd "$to" && npm ci --ignore-scripts --no-audit --no-fund --fetch-retries=5 --loglevel=error)
cd "$to/node_modules/@opentelemetry/otlp-grpc-exporter-base/build/protos"
find opentelemetry -name '*.proto' -exec protoc --proto_path=. --python_out="$to/python" {} +
touch "$to/python/done"
