#!/usr/bin/env bash
# A real file through the file source, a topic and the file sink, byte for byte.
#   examples/quickstart/run.sh [WEIR]      WEIR: the binary, target/release/weir unless given
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
weir=${1:-$here/../../target/release/weir}
input=${QUICKSTART_INPUT:-/var/lib/dpkg/status}
work=$(mktemp -d)
trap 'kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; rm -rf "$work"' EXIT

# The sink ends every line with a newline: so must the input, for the two to be equal.
[ "$(tail -c 1 "$input" | od -An -c | tr -d ' ')" = '\n' ] || { echo "$input does not end with a newline" >&2; exit 1; }
lines=$(wc -l < "$input")

"$weir" up --data-dir "$work/data" --kafka-port 0 --registry-port 0 --connect-port 0 --ready-file "$work/ready.json" > "$work/weir.log" 2>&1 &
pid=$!
for _ in $(seq 1 200); do [ -s "$work/ready.json" ] && break; sleep 0.05; done
[ -s "$work/ready.json" ] || { cat "$work/weir.log" >&2; exit 1; }
connect=$(sed -E 's/.*"connect":"([^"]+)".*/\1/' "$work/ready.json")

create() { # file
  sed -e "s|@INPUT@|$input|" -e "s|@OUTPUT@|$work/out.txt|" "$here/$1" |
    curl -sS --fail-with-body -o /dev/null -H 'Content-Type: application/json' --data @- "$connect/connectors"
}
create source.json
create sink.json
for _ in $(seq 1 600); do
  [ "$(wc -l < "$work/out.txt" 2>/dev/null || echo 0)" -ge "$lines" ] && break
  sleep 0.05
done
cmp "$input" "$work/out.txt" || { curl -sS "$connect/connectors?expand=status"; tail -n 20 "$work/weir.log"; exit 1; }
echo "quickstart: file, topic and file hold the same bytes"
