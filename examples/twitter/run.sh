#!/usr/bin/env bash
# Posts of X through Avro into a topic, and read back.
#   examples/twitter/run.sh [WEIR]     WEIR: the binary, target/release/weir unless given
# With X_BEARER_TOKEN set the real service is asked, otherwise one that `weir fakes` makes up.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
weir=${1:-$here/../../target/release/weir}
work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; wait "${pids[@]}" 2>/dev/null || true; rm -rf "$work"' EXIT

address() { sed -E 's/.*"'"$1"'":"([^"]+)".*/\1/' "$2"; }
await() { # file
  for _ in $(seq 1 400); do [ -s "$1" ] && return; sleep 0.05; done
  cat "$work"/*.log >&2
  exit 1
}

base=https://api.x.com
start=latest
records=${X_RECORDS:-10}
if [ -z "${X_BEARER_TOKEN:-}" ]; then
  export X_BEARER_TOKEN=made-up-token
  "$weir" fakes --ready-file "$work/fakes.json" > "$work/fakes.log" 2>&1 &
  pids+=($!)
  await "$work/fakes.json"
  base=$(address x "$work/fakes.json")
  # A week of posts is there at once; the real service counts every post that is read.
  start=earliest
  records=${X_RECORDS:-200}
fi
"$weir" up --data-dir "$work/data" --kafka-port 0 --registry-port 0 --connect-port 0 \
  --ready-file "$work/ready.json" > "$work/weir.log" 2>&1 &
pids+=($!)
await "$work/ready.json"
connect=$(address connect "$work/ready.json")
kafka=$(address kafka "$work/ready.json")
registry=$(address registry "$work/ready.json")

sed -e "s|https://api.x.com|$base|" -e "s|\"latest\"|\"$start\"|" "$here/twitter.json" |
  curl -sS --fail-with-body -o /dev/null -H 'Content-Type: application/json' --data @- "$connect/connectors"

# The topic is there once the first record is.
for _ in $(seq 1 300); do
  if timeout 600 "$weir" tail tweets -b "$kafka" --registry "$registry" \
    --from-beginning --max "$records" --json > "$work/records" 2> "$work/tail.log"; then
    break
  fi
  sleep 0.2
done
read_back=$(grep -c '"edit_history_tweet_ids":' "$work/records" || true)
if [ "$read_back" -ne "$records" ]; then
  cat "$work/tail.log" >&2
  curl -sS "$connect/connectors?expand=status" >&2
  tail -n 20 "$work/weir.log" >&2
  exit 1
fi
# The worker knows the token; nothing that it says does.
if { cat "$work/weir.log"; curl -sS "$connect/connectors?expand=info&expand=status"; } | grep -qF "$X_BEARER_TOKEN"; then
  echo "the token is in an output" >&2
  exit 1
fi
head -n 1 "$work/records"
echo "twitter: $read_back posts read back through Avro"
