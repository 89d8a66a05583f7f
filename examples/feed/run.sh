#!/usr/bin/env bash
# Real data over plain HTTP, through the HTTP source and Avro into topics, and read back by a Python client.
#   examples/feed/run.sh [WEIR]      WEIR: the binary, target/release/weir unless given
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
weir=${1:-$root/target/release/weir}
clients=${WEIR_CLIENTS:-$root/target/clients}
"$root/tests/clients/fetch.sh"
data=$clients/node/node_modules/vega-datasets/data
python=$clients/python/bin/python
work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; wait "${pids[@]}" 2>/dev/null || true; rm -rf "$work"' EXIT

"$python" -u - "$data" > "$work/port" 2> /dev/null <<'SERVER' &
import functools, http.server, sys
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
print(server.server_port)
server.serve_forever()
SERVER
pids+=($!)
"$weir" up --data-dir "$work/data" --kafka-port 0 --registry-port 0 --connect-port 0 \
  --ready-file "$work/ready.json" > "$work/weir.log" 2>&1 &
pids+=($!)
for _ in $(seq 1 200); do [ -s "$work/ready.json" ] && [ -s "$work/port" ] && break; sleep 0.05; done
[ -s "$work/ready.json" ] || { cat "$work/weir.log" >&2; exit 1; }
address() { sed -E 's/.*"'"$1"'":"([^"]+)".*/\1/' "$work/ready.json"; }
connect=$(address connect) kafka=$(address kafka) registry=$(address registry)

for connector in earthquakes weather; do
  sed -e "s|@DATA_URL@|http://127.0.0.1:$(cat "$work/port")|" "$here/$connector.json" |
    curl -sS --fail-with-body -o /dev/null -H 'Content-Type: application/json' --data @- "$connect/connectors"
done
check() { # topic file
  "$python" "$here/check.py" "$kafka" "$registry" "$1" "$data/$2" && return
  curl -sS "$connect/connectors?expand=status" >&2
  tail -n 20 "$work/weir.log" >&2
  exit 1
}
check earthquakes earthquakes.json
check weather weather.csv
