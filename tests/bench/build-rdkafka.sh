#!/usr/bin/env bash
# Builds librdkafka's rdkafka_performance from the very sources that the rdkafka-sys crate carries.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=${WEIR_PEERS:-$PWD/target/peers}/rdkafka_performance
[ ! -x "$out" ] || exit 0
echo "building rdkafka_performance (a minute)"
sources=$(cargo metadata --locked --format-version 1 | python3 -c '
import json, os, sys
package = next(p for p in json.load(sys.stdin)["packages"] if p["name"] == "rdkafka-sys")
print(os.path.join(os.path.dirname(package["manifest_path"]), "librdkafka"))')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$sources" "$work/librdkafka"
cd "$work/librdkafka"
{
  bash ./configure --disable-ssl --disable-gssapi --disable-curl --disable-zstd --disable-lz4-ext --enable-static
  make -j"$(nproc)" -C src librdkafka.a
  make -C examples rdkafka_performance
} > "$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; exit 1; }
mkdir -p "$(dirname "$out")"
cp examples/rdkafka_performance "$out"
