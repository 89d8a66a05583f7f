#!/usr/bin/env bash
# Compares the schema tables with Java's Avro library, or writes its answers into them.
#   tests/clients/avro-java/run.sh           fails where an answer differs
#   tests/clients/avro-java/run.sh write     makes the "=" lines anew
set -euo pipefail
cd "$(dirname "$0")"
LIBRARY=${WEIR_AVRO_JAVA:-$PWD/../../../target/clients/avro-java}
TABLES=$PWD/../../../registry/schema/tests/data

if [ ! -e "$LIBRARY/.complete" ]; then
  mvn -q -B dependency:copy-dependencies -DoutputDirectory="$LIBRARY"
  touch "$LIBRARY/.complete"
fi
for table in compatibility canonical; do
  answers=$(mktemp)
  java -cp "$LIBRARY/*" Answers.java "$TABLES/$table.txt" > "$answers"
  if [ "${1:-}" = write ]; then
    cp "$answers" "$TABLES/$table.txt"
  else
    diff -u "$TABLES/$table.txt" "$answers"
  fi
  rm -f "$answers"
done
