#!/usr/bin/env bash
# Observations of the Spanish weather service through Avro into a topic, and read back.
#   examples/aemet/run.sh [WEIR]     WEIR: the binary, target/release/weir unless given
# With AEMET_API_KEY set the real service is asked, otherwise one that `weir fakes` makes up.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
weir=${1:-$here/../../target/release/weir}
records=${AEMET_RECORDS:-100}
. "$here/../common.sh"

base=https://opendata.aemet.es/opendata/api
if [ -z "${AEMET_API_KEY:-}" ]; then
  export AEMET_API_KEY=made-up-key
  start_fakes
  base=$(address "$work/fakes.json" aemet)/opendata/api
fi
start_weir

sed -e "s|https://opendata.aemet.es/opendata/api|$base|" "$here/aemet.json" |
  create

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
assert_hidden "$AEMET_API_KEY"
head -n 1 "$work/records"
echo "aemet: $read_back observations read back through Avro"
