#!/usr/bin/env bash
# Makes a fresh Debian machine with Rust ready; does nothing where all is there.
#   tests/setup.sh build     what compiling needs: C compiler, make, perl, the wasm target
#   tests/setup.sh test      besides: kcat, Java 17 with Maven, Python, Node.js, Go, for the real-client suites
# One line for each thing that is installed, or that must be installed by hand.
set -euo pipefail
what=${1:-build}

apt_updated=
install_apt() { # command package...
  local command=$1; shift
  command -v "$command" > /dev/null 2>&1 && return 0
  if [ "$(id -u)" != 0 ] || ! command -v apt-get > /dev/null 2>&1; then
    echo "missing: $command; install it with: sudo apt-get install $*" >&2
    exit 1
  fi
  echo "installing $* (for $command)"
  [ -n "$apt_updated" ] || { apt-get update -qq > /dev/null; apt_updated=1; }
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@" > /dev/null
}

if ! command -v cargo > /dev/null 2>&1; then
  echo "missing: cargo; install Rust with rustup (rustup.rs), then run this again" >&2
  exit 1
fi
install_apt cc gcc
install_apt make make
install_apt perl perl

target=wasm32-wasip2
libdir=$(rustc --print target-libdir --target "$target" 2> /dev/null || true)
if [ -z "$libdir" ] || [ ! -d "$libdir" ]; then
  if ! command -v rustup > /dev/null 2>&1; then
    echo "missing: the Rust target $target, and rustup to add it; install rustup (rustup.rs), then: rustup target add $target" >&2
    exit 1
  fi
  echo "adding the Rust target $target"
  rustup -q target add "$target"
fi

[ "$what" = test ] || exit 0

install_apt curl curl
install_apt python3 python3 python3-venv
if ! python3 -c 'import ensurepip, venv' 2> /dev/null; then
  install_apt "python3 -m venv" python3-venv
fi
install_apt kcat kcat
install_apt java default-jdk-headless
install_apt mvn maven
install_apt node nodejs
install_apt npm npm
install_apt go golang-go
major=$(java -version 2>&1 | sed -n '1s/.*version "\([0-9]*\).*/\1/p')
if [ "${major:-0}" -lt 17 ]; then
  echo "Apache Kafka's tools need Java 17 or newer, found ${major:-none}; install it with: sudo apt-get install openjdk-17-jre-headless" >&2
  exit 1
fi
here=$(dirname "$0")
"$here/peers/fetch-kafka.sh"
"$here/clients/fetch.sh"
