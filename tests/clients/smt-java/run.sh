#!/bin/sh
# Makes runtime/transforms/tests/java/table.jsonl anew from Apache Kafka's own classes. KAFKA_LIBS: folder with the jars
# connect-api, connect-transforms, connect-runtime, kafka-clients and slf4j-api of the release that Weir follows.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
libs=${KAFKA_LIBS:?folder with the jars of Apache Kafka}
classes=$(mktemp -d)
trap 'rm -rf "$classes"' EXIT
javac -d "$classes" -cp "$libs/*" "$here/SmtTable.java" "$here/Cases.java"
java -Duser.timezone=UTC -Duser.language=en -Duser.country=US -cp "$classes:$libs/*" SmtTable \
  > "$here/../../../runtime/transforms/tests/java/table.jsonl"
