#!/usr/bin/env bash
# Runs the test suites one after another, prints the minutes of each and one closing line with all counts.
#   tests/run.sh             every suite
#   tests/run.sh NAME...     only these (names as printed)
# Each suite is one cargo call; what it tests stands in the head of its file.
set -uo pipefail
cd "$(dirname "$0")/.."
export CARGO_TERM_COLOR=never
# On a machine that builds once, incremental state only costs time and gigabytes.
[ -z "${CI:-}" ] || export CARGO_INCREMENTAL=0
mkdir -p target/test-logs
passed=0 failed=0 broken=()

suite() { # name command...
  local name=$1; shift
  if [ "${#wanted[@]}" -gt 0 ] && [[ ! " ${wanted[*]} " == *" $name "* ]]; then return 0; fi
  local log=target/test-logs/$name.log began ended p f
  began=$(date +%s)
  echo "== $name: $*"
  if "$@" > "$log" 2>&1; then local ok=1; else local ok=0; fi
  ended=$(date +%s)
  p=$(sed -nE 's/^test result: .* ([0-9]+) passed; .*/\1/p' "$log" | awk '{n+=$1} END{print n+0}')
  f=$(sed -nE 's/^test result: .* ([0-9]+) failed; .*/\1/p' "$log" | awk '{n+=$1} END{print n+0}')
  passed=$((passed + p)) failed=$((failed + f))
  if [ "$ok" = 0 ]; then
    broken+=("$name")
    [ "$f" -gt 0 ] || failed=$((failed + 1))
    grep -E '^(error|test .* FAILED|failures:|thread .* panicked)' "$log" | head -n 20
    tail -n 60 "$log"
  fi
  printf -- '-- %s: %d passed, %d failed, %d min %02d s\n' "$name" "$p" "$f" $(((ended - began) / 60)) $(((ended - began) % 60))
}

wanted=("$@")
if [ "${#wanted[@]}" -eq 0 ] || [[ " ${wanted[*]} " == *" clients "* || " ${wanted[*]} " == *" connect_clients "* || " ${wanted[*]} " == *" avro "* || " ${wanted[*]} " == *" java "* ]]; then
  tests/setup.sh test || exit 1
fi

# Always the whole workspace: another selection would unify features differently and build OpenSSL once more.
all=$(date +%s)
build_began=$all
cargo build --locked --workspace && cargo test --locked --workspace --no-run > target/test-logs/build.log 2>&1 || {
  tail -n 80 target/test-logs/build.log
  echo "the build failed"
  echo "0 passed, 1 failed"
  exit 1
}
printf -- '-- build: %d min\n' $((($(date +%s) - build_began + 30) / 60))

suite unit      cargo test --locked --workspace --exclude weir-tests --no-fail-fast
for file in tests/tests/*.rs tests/tests/*/main.rs; do
  name=$(basename "${file%/main.rs}" .rs)
  suite "$name" cargo test --locked --workspace --test "$name" --no-fail-fast
done

printf -- '-- all: %d min\n' $((($(date +%s) - all + 30) / 60))
if [ "${#broken[@]}" -gt 0 ]; then echo "failed suites: ${broken[*]} (logs in target/test-logs)"; fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "${#broken[@]}" -eq 0 ]
