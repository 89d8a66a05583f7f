#!/usr/bin/env bash
# Apache Kafka's broker, tools and Connect as jars from Maven Central: what Weir is tested and measured against.
#   tests/peers/fetch-kafka.sh      into ${WEIR_PEERS:-target/peers}; does nothing where the wanted version is complete
# Result: libs/ (class path of broker, tools and Connect), plugins/connect-file/ (the FileStream connectors, alone, for
# plugin.path), config/log4j2.properties (warnings to standard error). Needs Java 17 or newer and Maven.
set -euo pipefail
cd "$(dirname "$0")/../.."
PEERS=${WEIR_PEERS:-$PWD/target/peers}
KAFKA_VERSION=${KAFKA_VERSION:-4.3.1}
LOG4J_VERSION=2.25.4

mkdir -p "$PEERS"
exec 9> "$PEERS/.lock"
flock 9
STAMP="$PEERS/.complete-$KAFKA_VERSION"
[ ! -e "$STAMP" ] || [ ! -e "$PEERS/config/log4j2.properties" ] || exit 0

for tool in java mvn; do
  command -v "$tool" > /dev/null 2>&1 || { echo "missing: $tool; tests/setup.sh test installs it" >&2; exit 1; }
done
major=$(java -version 2>&1 | sed -n '1s/.*version "\([0-9]*\).*/\1/p')
if [ "${major:-0}" -lt 17 ]; then
  echo "Apache Kafka $KAFKA_VERSION needs Java 17 or newer, found ${major:-none}" >&2
  exit 1
fi
echo "fetching Apache Kafka $KAFKA_VERSION from Maven Central"

BUILD=$(mktemp -d "$PEERS/fetch.XXXXXX")
trap 'rm -rf "$BUILD"' EXIT

dependency() { # group artifact version
  printf '<dependency><groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version></dependency>\n' "$@"
}
pom() { # artifactId; dependencies on standard input
  cat <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion>
<groupId>peers</groupId><artifactId>$1</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>
$(cat)
</dependencies></project>
POM
}
fetch() { # folder result extra...
  local folder=$1 result=$2; shift 2
  mvn -q -B -f "$folder/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$result" "$@"
}

mkdir -p "$BUILD/all" "$BUILD/file"
{
  for artifact in kafka_2.13 kafka-clients kafka-server kafka-storage kafka-tools kafka-shell \
                  connect-api connect-runtime connect-json connect-transforms connect-basic-auth-extension; do
    dependency org.apache.kafka "$artifact" "$KAFKA_VERSION"
  done
  for artifact in log4j-slf4j-impl log4j-core log4j-1.2-api; do
    dependency org.apache.logging.log4j "$artifact" "$LOG4J_VERSION"
  done
} | pom kafka-all > "$BUILD/all/pom.xml"
dependency org.apache.kafka connect-file "$KAFKA_VERSION" | pom kafka-file > "$BUILD/file/pom.xml"

rm -rf "$PEERS/libs" "$PEERS/plugins"
fetch "$BUILD/all" "$PEERS/libs"
fetch "$BUILD/file" "$PEERS/plugins/connect-file" -DexcludeTransitive=true
# One slf4j binding only.
find "$PEERS/libs" \( -name 'slf4j-log4j12*' -o -name 'slf4j-reload4j*' -o -name 'reload4j*' \) -delete

mkdir -p "$PEERS/config"
cat > "$PEERS/config/log4j2.properties" <<'LOG'
rootLogger.level=warn
rootLogger.appenderRef.err.ref=err
appender.err.type=Console
appender.err.name=err
appender.err.target=SYSTEM_ERR
appender.err.layout.type=PatternLayout
appender.err.layout.pattern=[%d] %p %m (%c)%n
LOG

for jar in libs/kafka_2.13 libs/kafka-tools libs/connect-runtime libs/connect-json plugins/connect-file/connect-file; do
  [ -e "$PEERS/$jar-$KAFKA_VERSION.jar" ] || { echo "missing after the fetch: $jar-$KAFKA_VERSION.jar" >&2; exit 1; }
done
touch "$STAMP"
