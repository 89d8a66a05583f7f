#!/usr/bin/env bash
# Nanoseconds a record of common transformations, Weir beside Java's classes, in one run: class, then each one's figure.
#   tests/bench/smt.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
PEERS=${WEIR_PEERS:-$PWD/target/peers}
lines=$(cargo bench -q --locked -p weir-transforms --bench smt)
java -Xmx512m -cp "$PEERS/libs/*" tests/bench/smt/SmtBench.java <<< "$lines" 2> /dev/null
