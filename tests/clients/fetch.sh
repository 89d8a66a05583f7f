#!/usr/bin/env bash
# The Python, Node.js, Java and Go libraries of the suites in tests/tests/{clients,avro}.rs and connect_clients, in the versions
# pinned here.
#   tests/clients/fetch.sh      into ${WEIR_CLIENTS:-target/clients}; does nothing for a part that is complete
set -euo pipefail
cd "$(dirname "$0")"
CLIENTS=${WEIR_CLIENTS:-$PWD/../../target/clients}
AVRO_VERSION=1.12.1
CONNECT_CLIENT_VERSION=4.0.5
CONNECT_CLI_VERSION=0.2.5

mkdir -p "$CLIENTS"
CLIENTS=$(cd "$CLIENTS" && pwd)
exec 9> "$CLIENTS/.lock"
flock 9

for tool in python3 node npm mvn go; do
  command -v "$tool" > /dev/null 2>&1 || { echo "missing: $tool; tests/setup.sh test installs it" >&2; exit 1; }
done

part() { # name what-it-depends-on command...
  local name=$1 wanted stamp
  wanted=$(printf %s "$2" | sha256sum | cut -c1-16)
  stamp="$CLIENTS/.complete-$name.$wanted"
  shift 2
  [ -e "$stamp" ] && return 0
  "$@"
  rm -f "$CLIENTS/.complete-$name."*
  touch "$stamp"
}

virtual() { # folder requirements
  echo "fetching $(paste -sd ' ' "$2") from PyPI"
  rm -rf "${CLIENTS:?}/$1"
  python3 -m venv "$CLIENTS/$1"
  "$CLIENTS/$1/bin/pip" install -q --disable-pip-version-check --only-binary :all: -r "$2"
}

connect_python() {
  virtual python-connect connect/requirements.txt
  # It shares its package's name with kafka-connect-py and wants an older requests: a folder of its own, on this one's libraries.
  rm -rf "$CLIENTS/python-connect-cli"
  "$CLIENTS/python-connect/bin/pip" install -q --disable-pip-version-check --no-deps --target "$CLIENTS/python-connect-cli" \
    "kafka-connect-cli==$CONNECT_CLI_VERSION"
}

modules() {
  echo "fetching kafkajs, kafka-connect-client and vega-datasets from npm"
  rm -rf "$CLIENTS/node"
  mkdir -p "$CLIENTS/node"
  cp package.json package-lock.json "$CLIENTS/node/"
  npm --prefix "$CLIENTS/node" ci --silent --no-audit --no-fund --ignore-scripts
}

jars() { # folder group:artifact:version...
  local folder=$1 pom=$CLIENTS/$1-pom dependency
  shift
  echo "fetching $* from Maven Central"
  rm -rf "${CLIENTS:?}/$folder" "$pom"
  mkdir -p "$pom"
  {
    echo '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
    echo "<groupId>clients</groupId><artifactId>$folder</artifactId><version>1</version><packaging>pom</packaging><dependencies>"
    for dependency in "$@"; do
      IFS=: read -r group artifact version <<< "$dependency"
      echo "<dependency><groupId>$group</groupId><artifactId>$artifact</artifactId><version>$version</version></dependency>"
    done
    echo '</dependencies></project>'
  } > "$pom/pom.xml"
  mvn -q -B -f "$pom/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$CLIENTS/$folder"
}

connect_go() {
  echo "building the Go clients of Connect"
  (cd connect/go && go build -buildvcs=false -o "$CLIENTS/connect-go" .)
}

# What confluent-kafka needs for its registry client is named one by one: its own extra asks for a certifi not yet out.
part python "$(cat requirements.txt)" virtual python requirements.txt
part node "$(cat package-lock.json)" modules
part java-avro "$AVRO_VERSION" jars java-avro "org.apache.avro:avro:$AVRO_VERSION" org.slf4j:slf4j-nop:2.0.17
part python-connect "$(cat connect/requirements.txt) $CONNECT_CLI_VERSION" connect_python
part java-connect "$CONNECT_CLIENT_VERSION" jars java-connect "org.sourcelab:kafka-connect-client:$CONNECT_CLIENT_VERSION" \
  org.slf4j:slf4j-nop:1.7.36
part connect-go "$(cat connect/go/go.sum connect/go/*.go)" connect_go
