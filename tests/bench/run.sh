#!/usr/bin/env bash
# Measures Weir and Apache Kafka with Connect side by side, in one run, and prints one table.
#   tests/bench/run.sh [SECTION...]     sections: disk start connect transforms broker latency feed registry avro smt join assignor sources sinks
# Sizes: BENCH_LINES (5000000), BENCH_SMALL (5000000 records of 100 B), BENCH_KIB (500000 of 1 KiB), BENCH_IDLE (60 s),
#   BENCH_CONNECTORS (1000), BENCH_JOINS (5).
set -euo pipefail
cd "$(dirname "$0")/../.."
tests/setup.sh test
export WEIR_PEERS=${WEIR_PEERS:-$PWD/target/peers}
tests/peers/fetch-kafka.sh
tests/bench/build-rdkafka.sh
# ApacheBench, for look-ups of the registry.
command -v ab > /dev/null || { apt-get update -qq && apt-get install -y -qq apache2-utils > /dev/null; }
exec python3 -B tests/bench/bench.py "$@"
