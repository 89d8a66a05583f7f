#!/usr/bin/env bash
# Google Places through the places source and Avro into a topic, and read back.
#   examples/places/run.sh [WEIR]      WEIR: the binary, target/release/weir unless given
# With GOOGLE_PLACES_API_KEY set the real service is asked (ids only, at most 100 requests a day), else a made-up one.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
weir=${1:-$here/../../target/release/weir}
records=${PLACES_RECORDS:-10}
work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; wait "${pids[@]}" 2>/dev/null || true; rm -rf "$work"' EXIT

await() { # file
  for _ in $(seq 1 600); do [ -s "$1" ] && return; sleep 0.05; done
  echo "$1 does not appear" >&2
  tail -n 20 "$work"/*.log >&2
  exit 1
}
address() { sed -E 's/.*"'"$2"'": ?"([^"]+)".*/\1/' "$1"; } # file name

base_url=
if [ -z "${GOOGLE_PLACES_API_KEY:-}" ]; then
  export GOOGLE_PLACES_API_KEY=made-up-key
  "$weir" fakes --ready-file "$work/fakes.json" > "$work/fakes.log" 2>&1 &
  pids+=($!)
  await "$work/fakes.json"
  base_url=$(address "$work/fakes.json" places)
fi
"$weir" up --data-dir "$work/data" --kafka-port 0 --registry-port 0 --connect-port 0 \
  --ready-file "$work/ready.json" > "$work/weir.log" 2>&1 &
pids+=($!)
await "$work/ready.json"
connect=$(address "$work/ready.json" connect)
kafka=$(address "$work/ready.json" kafka)
registry=$(address "$work/ready.json" registry)

# The file names the real service by leaving its address out.
sed -e "${base_url:+s|\"topic\"|\"places.base.url\": \"$base_url\",\n    &|}" "$here/places.json" |
  curl -sS --fail-with-body -o /dev/null -H 'Content-Type: application/json' --data @- "$connect/connectors"

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
# The key stays out of what the worker shows and logs.
if { curl -sS "$connect/connectors?expand=status&expand=info"; cat "$work/weir.log"; } | grep -qF "$GOOGLE_PLACES_API_KEY"; then
  echo "places: the key was shown" >&2
  exit 1
fi
echo "places: $records places read back through Avro, each under its id"
