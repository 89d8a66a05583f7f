#!/usr/bin/env bash
# Records which metrics a distributed worker of Apache Kafka Connect 4.3.1 has, into tests/metrics/apache.txt.
#   tests/metrics/record.sh [FILE]      with FILE, the values go there as well
# A source and a sink run meanwhile, each with a transformation and a predicate; the sink has a dead letter queue.
set -euo pipefail
cd "$(dirname "$0")/../.."
tests/peers/fetch-kafka.sh
exec python3 -B tests/metrics/record.py "$@"
