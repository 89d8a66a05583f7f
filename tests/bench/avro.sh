#!/usr/bin/env bash
# Nanoseconds to write and read one record as Avro, Weir beside Java's Avro library, in one run and one table.
#   tests/bench/avro.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
tests/setup.sh test
LIBS=${WEIR_CLIENTS:-$PWD/target/clients}/java-avro
lines=$(cargo bench -q --locked -p weir-converters --bench avro)
java -Xmx512m -cp "$LIBS/*" tests/bench/avro/AvroBench.java <<< "$lines"
