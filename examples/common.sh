# What the examples of feeds share: a folder of their own, `weir fakes`, `weir up`, and the addresses of both.
# Sourced with `weir` set. Leaves $work, and after start_weir $connect, $kafka and $registry.
work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; wait "${pids[@]}" 2>/dev/null || true; rm -rf "$work"' EXIT

await() { # file
  for _ in $(seq 1 600); do [ -s "$1" ] && return; sleep 0.05; done
  echo "$1 does not appear" >&2
  cat "$work"/*.log >&2
  exit 1
}

address() { # file name
  sed -E 's/.*"'"$2"'":"([^"]+)".*/\1/' "$1"
}

start_fakes() {
  "$weir" fakes --ready-file "$work/fakes.json" > "$work/fakes.log" 2>&1 &
  pids+=($!)
  await "$work/fakes.json"
}

start_weir() {
  "$weir" up --data-dir "$work/data" --kafka-port 0 --registry-port 0 --connect-port 0 \
    --ready-file "$work/ready.json" > "$work/weir.log" 2>&1 &
  pids+=($!)
  await "$work/ready.json"
  connect=$(address "$work/ready.json" connect)
  kafka=$(address "$work/ready.json" kafka)
  registry=$(address "$work/ready.json" registry)
}

create() { # connector as JSON on standard input
  curl -sS --fail-with-body -o /dev/null -H 'Content-Type: application/json' --data @- "$connect/connectors"
}

# The worker knows the key; nothing that it says may.
assert_hidden() { # key
  if { cat "$work/weir.log"; curl -sS "$connect/connectors?expand=info&expand=status"; } | grep -qF "$1"; then
    echo "the key is in an output" >&2
    exit 1
  fi
}
