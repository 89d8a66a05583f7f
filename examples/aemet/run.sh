#!/usr/bin/env bash
# Observations of the Spanish weather service through Avro into a topic, and read back.
#   examples/aemet/run.sh [WEIR]     WEIR: the binary, target/release/weir unless given
# With AEMET_API_KEY set the real service is asked, otherwise one that `weir fakes` makes up.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
weir=${1:-$here/../../target/release/weir}
records=${AEMET_RECORDS:-100}
work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; wait "${pids[@]}" 2>/dev/null || true; rm -rf "$work"' EXIT

address() { sed -E 's/.*"'"$1"'":"([^"]+)".*/\1/' "$2"; }
await() { # file
  for _ in $(seq 1 400); do [ -s "$1" ] && return; sleep 0.05; done
  cat "$work"/*.log >&2
  exit 1
}

base=https://opendata.aemet.es/opendata/api
if [ -z "${AEMET_API_KEY:-}" ]; then
  export AEMET_API_KEY=made-up-key
  "$weir" fakes --ready-file "$work/fakes.json" > "$work/fakes.log" 2>&1 &
  pids+=($!)
  await "$work/fakes.json"
  base=$(address aemet "$work/fakes.json")/opendata/api
fi
"$weir" up --data-dir "$work/data" --kafka-port 0 --registry-port 0 --connect-port 0 \
  --ready-file "$work/ready.json" > "$work/weir.log" 2>&1 &
pids+=($!)
await "$work/ready.json"
connect=$(address connect "$work/ready.json")
kafka=$(address kafka "$work/ready.json")
registry=$(address registry "$work/ready.json")

sed -e "s|https://opendata.aemet.es/opendata/api|$base|" "$here/aemet.json" |
  curl -sS --fail-with-body -o /dev/null -H 'Content-Type: application/json' --data @- "$connect/connectors"

# The topic is there once the first record is.
for _ in $(seq 1 300); do
  status=0
  timeout 120 "$weir" tail weather-observations -b "$kafka" --registry "$registry" \
    --from-beginning --max "$records" --json > "$work/records" 2> "$work/tail.log" || status=$?
  # 124: it waited in vain.
  case $status in 0 | 124) break ;; esac
  sleep 0.2
done
read_back=$(grep -c '"idema":' "$work/records" || true)
if [ "$read_back" -ne "$records" ]; then
  cat "$work/tail.log" >&2
  curl -sS "$connect/connectors?expand=status" >&2
  tail -n 20 "$work/weir.log" >&2
  exit 1
fi
# The worker knows the key; nothing that it says does.
if { cat "$work/weir.log"; curl -sS "$connect/connectors?expand=info&expand=status"; } | grep -qF "$AEMET_API_KEY"; then
  echo "the key is in an output" >&2
  exit 1
fi
head -n 1 "$work/records"
echo "aemet: $read_back observations read back through Avro"
