#!/usr/bin/env bash
# Posts of X through Avro into a topic, and read back.
#   examples/twitter/run.sh [WEIR]     WEIR: the binary, target/release/weir unless given
# With X_BEARER_TOKEN set the real service is asked, otherwise one that `weir fakes` makes up.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
weir=${1:-$here/../../target/release/weir}
. "$here/../common.sh"

base=https://api.x.com
start=latest
records=${X_RECORDS:-10}
if [ -z "${X_BEARER_TOKEN:-}" ]; then
  export X_BEARER_TOKEN=made-up-token
  start_fakes
  base=$(address "$work/fakes.json" x)
  # A week of posts is there at once; the real service counts every post that is read.
  start=earliest
  records=${X_RECORDS:-200}
fi
start_weir

sed -e "s|https://api.x.com|$base|" -e "s|\"latest\"|\"$start\"|" "$here/twitter.json" |
  create

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
assert_hidden "$X_BEARER_TOKEN"
head -n 1 "$work/records"
echo "twitter: $read_back posts read back through Avro"
