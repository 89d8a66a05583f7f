#!/usr/bin/env bash
# Records the answers of Apache Kafka Connect to the scenarios beside this script, into recorded/.
#   tests/conformance/record.sh            every area
#   tests/conformance/record.sh AREA...    only these (names of the files in scenarios/)
# Starts Apache Kafka and Connect from the jars of tests/peers, one kind of cluster after another; needs Java 17 or newer.
set -euo pipefail
cd "$(dirname "$0")/../.."
tests/setup.sh test
WEIR_CONFORMANCE="$*" cargo test --locked --workspace --test conformance -- --ignored --exact record --nocapture
git --no-pager diff --stat -- tests/conformance/recorded
