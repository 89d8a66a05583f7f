#!/usr/bin/env bash
# The stock files beside this script, unchanged, on a machine where nothing else runs: a network and a /tmp of their own.
#   unshare --net --mount --pid --fork --kill-child tests/standalone/private.sh weir|apache FOLDER WEIR PEERS
# FOLDER holds test.txt and more.txt. The broker named runs for two rounds of Weir's standalone worker: test.txt must come
# out as test.sink.txt, then again with more.txt at its end. All logs, the offset file and REST's list are left in FOLDER.
set -euo pipefail
kind=$1 folder=$2 weir=$3 peers=$4
stock=$(cd "$(dirname "$0")" && pwd)/stock
PATIENCE=60

# What is needed from below the machine's /tmp is put back at its place.
mount --rbind /tmp /mnt
mount -t tmpfs tmpfs /tmp
for needed in "$stock" "$folder" "$(dirname "$weir")" "$peers"; do
  case "$needed" in /tmp/*) mkdir -p "$needed" && mount --rbind "/mnt/${needed#/tmp/}" "$needed" ;; esac
done
umount -l /mnt
ip link set lo up
cd "$folder"

await() { # what command...: looks again until the command succeeds
  local what=$1 end=$((SECONDS + PATIENCE)); shift
  until "$@" 2> /dev/null; do
    [ "$SECONDS" -lt "$end" ] || { echo "$what: not within $PATIENCE s" >&2; tail -n 30 ./*.log >&2; exit 1; }
    sleep 0.05
  done
}
answers() { (exec 3<> "/dev/tcp/localhost/$1"); }

java=(java -Xmx256m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC "-Dlog4j2.configurationFile=$peers/config/log4j2.properties" -cp "$peers/libs/*")
case "$kind" in
  weir) "$weir" broker "$stock/server.properties" > broker.log 2>&1 & ;;
  apache)
    "${java[@]}" kafka.tools.StorageTool format --standalone -t 4L6g3nShT-eMCtK--X86sw -c "$stock/server.properties" > format.log 2>&1
    "${java[@]}" kafka.Kafka "$stock/server.properties" > broker.log 2>&1 & ;;
esac
broker=$!
await "the broker's port" answers 9092

round() {
  "$weir" connect-standalone "$stock/connect-standalone.properties" "$stock/connect-file-source.properties" \
    "$stock/connect-file-sink.properties" >> worker.log 2>&1 &
  local worker=$!
  await "test.txt in test.sink.txt" cmp -s test.txt test.sink.txt
  curl -sS -m 10 http://localhost:8083/connectors > connectors.json
  kill -TERM "$worker"
  wait "$worker" || { echo "the worker ended with $?" >&2; tail -n 30 worker.log >&2; exit 1; }
}
round
cat more.txt >> test.txt
round
cp /tmp/connect.offsets connect.offsets
kill -TERM "$broker"
code=0
wait "$broker" || code=$?
# A JVM that a signal stopped says so, however clean its end was.
[ "$code" = 0 ] || { [ "$kind" = apache ] && [ "$code" = 143 ]; } || { echo "the broker ended with $code" >&2; exit 1; }
ls /tmp > tmp.list
