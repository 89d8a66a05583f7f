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
. "$here/../common.sh"

"$python" -u - "$data" > "$work/port" 2> /dev/null <<'SERVER' &
import functools, http.server, sys
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
print(server.server_port)
server.serve_forever()
SERVER
pids+=($!)
await "$work/port"
start_weir

for connector in earthquakes weather; do
  sed -e "s|@DATA_URL@|http://127.0.0.1:$(cat "$work/port")|" "$here/$connector.json" |
    create
done
check() { # topic file
  "$python" "$here/check.py" "$kafka" "$registry" "$1" "$data/$2" && return
  curl -sS "$connect/connectors?expand=status" >&2
  tail -n 20 "$work/weir.log" >&2
  exit 1
}
check earthquakes earthquakes.json
check weather weather.csv
