#!/usr/bin/env bash
# Google Places through the places source and Avro into a topic, and read back.
#   examples/places/run.sh [WEIR]      WEIR: the binary, target/release/weir unless given
# With GOOGLE_PLACES_API_KEY set the real service is asked (ids only, at most 100 requests a day), else a made-up one.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
weir=${1:-$here/../../target/release/weir}
records=${PLACES_RECORDS:-10}
. "$here/../common.sh"

base_url=
if [ -z "${GOOGLE_PLACES_API_KEY:-}" ]; then
  export GOOGLE_PLACES_API_KEY=made-up-key
  start_fakes
  base_url=$(address "$work/fakes.json" places)
fi
start_weir

# The file names the real service by leaving its address out.
sed -e "${base_url:+s|\"topic\"|\"places.base.url\": \"$base_url\",\n    &|}" "$here/places.json" |
  create

# The topic appears with its first record.
for _ in $(seq 1 60); do
  timeout 60 "$weir" tail places -b "$kafka" --registry "$registry" --from-beginning --max "$records" --json \
    > "$work/places.txt" 2> "$work/tail.log" && break
  sleep 1
done
cat "$work/places.txt"
read_back=$(grep -cE '"key":"([^"]+)","value":\{"id":"\1",' "$work/places.txt" || true)
if [ "$read_back" -ne "$records" ]; then
  echo "places: $read_back of $records records read back" >&2
  curl -sS "$connect/connectors?expand=status" >&2
  tail -n 20 "$work"/*.log >&2
  exit 1
fi
assert_hidden "$GOOGLE_PLACES_API_KEY"
echo "places: $records places read back through Avro, each under its id"
