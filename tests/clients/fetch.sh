#!/usr/bin/env bash
# The Python, Node.js and Java libraries of the suites in tests/tests/{clients,avro}.rs, in the versions pinned here.
#   tests/clients/fetch.sh      into ${WEIR_CLIENTS:-target/clients}; does nothing where they are complete
set -euo pipefail
cd "$(dirname "$0")"
CLIENTS=${WEIR_CLIENTS:-$PWD/../../target/clients}

mkdir -p "$CLIENTS"
CLIENTS=$(cd "$CLIENTS" && pwd)
exec 9> "$CLIENTS/.lock"
flock 9

AVRO_VERSION=1.12.1
wanted=$({ cat requirements.txt package-lock.json; echo "$AVRO_VERSION"; } | sha256sum | cut -c1-16)
STAMP="$CLIENTS/.complete-$wanted"
[ ! -e "$STAMP" ] || exit 0

for tool in python3 node npm mvn; do
  command -v "$tool" > /dev/null 2>&1 || { echo "missing: $tool; tests/setup.sh test installs it" >&2; exit 1; }
done
# What confluent-kafka needs for its registry client is named one by one: its own extra asks for a certifi not yet out.
echo "fetching $(paste -sd ' ' requirements.txt) from PyPI"
rm -rf "$CLIENTS/python"
python3 -m venv "$CLIENTS/python"
"$CLIENTS/python/bin/pip" install -q --disable-pip-version-check --only-binary :all: -r requirements.txt
echo "fetching kafkajs from npm"
rm -rf "$CLIENTS/node"
mkdir -p "$CLIENTS/node"
cp package.json package-lock.json "$CLIENTS/node/"
npm --prefix "$CLIENTS/node" ci --silent --no-audit --no-fund --ignore-scripts
echo "fetching Avro $AVRO_VERSION for Java from Maven Central"
rm -rf "$CLIENTS/java-avro" "$CLIENTS/java-avro-pom"
mkdir -p "$CLIENTS/java-avro-pom"
cat > "$CLIENTS/java-avro-pom/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion>
<groupId>clients</groupId><artifactId>avro</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>
<dependency><groupId>org.apache.avro</groupId><artifactId>avro</artifactId><version>$AVRO_VERSION</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>2.0.17</version></dependency>
</dependencies></project>
POM
mvn -q -B -f "$CLIENTS/java-avro-pom/pom.xml" dependency:copy-dependencies -DincludeScope=runtime \
  -DoutputDirectory="$CLIENTS/java-avro"
touch "$STAMP"
