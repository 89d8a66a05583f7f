#!/usr/bin/env bash
# The Python and Node.js clients of the suite in tests/tests/clients.rs, in the versions pinned beside this script.
#   tests/clients/fetch.sh      into ${WEIR_CLIENTS:-target/clients}; does nothing where they are complete
set -euo pipefail
cd "$(dirname "$0")"
CLIENTS=${WEIR_CLIENTS:-$PWD/../../target/clients}

mkdir -p "$CLIENTS"
CLIENTS=$(cd "$CLIENTS" && pwd)
exec 9> "$CLIENTS/.lock"
flock 9

wanted=$(cat requirements.txt package-lock.json | sha256sum | cut -c1-16)
STAMP="$CLIENTS/.complete-$wanted"
[ ! -e "$STAMP" ] || exit 0

for tool in python3 node npm; do
  command -v "$tool" > /dev/null 2>&1 || { echo "missing: $tool; tests/setup.sh test installs it" >&2; exit 1; }
done
echo "fetching $(paste -sd ' ' requirements.txt) from PyPI"
rm -rf "$CLIENTS/python"
python3 -m venv "$CLIENTS/python"
"$CLIENTS/python/bin/pip" install -q --disable-pip-version-check --only-binary :all: -r requirements.txt
echo "fetching kafkajs from npm"
rm -rf "$CLIENTS/node"
mkdir -p "$CLIENTS/node"
cp package.json package-lock.json "$CLIENTS/node/"
npm --prefix "$CLIENTS/node" ci --silent --no-audit --no-fund --ignore-scripts
touch "$STAMP"
