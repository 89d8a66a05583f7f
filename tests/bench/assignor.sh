#!/usr/bin/env bash
# Time and moves of the assignors with 1,000 workers and 100,000 tasks, Weir beside Apache: step, then milliseconds and moves of each
# (medians of the repeated steps).
#   tests/bench/assignor.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
PEERS=${WEIR_PEERS:-$PWD/target/peers}
classes=$(mktemp -d)
trap 'rm -rf "$classes"' EXIT
javac -cp "$PEERS/libs/*" -d "$classes" tests/bench/assignor/AssignorBench.java
java -Xmx2g -cp "$PEERS/libs/*:$classes" org.apache.kafka.connect.runtime.distributed.AssignorBench 2> /dev/null > "$classes/apache"
cargo bench -q --locked -p weir-herder --bench assignor > "$classes/weir"
python3 - "$classes" <<'PY'
import statistics, sys

def read(name):
    steps = {}
    for line in open(f"{sys.argv[1]}/{name}"):
        step, _, millis, moves = line.split()
        steps.setdefault(step, []).append((float(millis), int(moves)))
    return steps

apache, weir = read("apache"), read("weir")
for step in apache:
    median = lambda runs, part: statistics.median(run[part] for run in runs)  # noqa: E731
    print(step, *(f"{median(runs[step], 0):.1f} {median(runs[step], 1):.0f}" for runs in (apache, weir)))
PY
