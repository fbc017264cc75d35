#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# All tests, from nothing: setup, build, swift test, simulated clusters, real ones under faults,
# examples, and a look for what they left behind.
. "$(dirname "$0")/common.sh"
dev/setup.sh

# Everything the tests make goes below one place, so that nothing of others is taken for theirs.
TMPDIR=$(mktemp -d /tmp/brokerfs-test.XXXXXX)
export TMPDIR
# An ordinary user's mount is tested too: they have to get there.
chmod 0755 "$TMPDIR"
logs=.build/test-logs
mkdir -p "$logs"
leave() {
    dev/clean-mounts.sh "$TMPDIR" >/dev/null
    rm -rf --one-file-system -- "$TMPDIR"
}
trap leave EXIT

log "building"
simulator=(--configuration release --product brokerfs-sim)
if [ -n "${CI-}" ]; then
    # Nobody builds here again, so rooms are compiled as what is installed. A second time, for the
    # simulator, the C++ of the TLS library would take longer than all else.
    simulator+=(-Xcc -O0 -Xcxx -O0)
    [ -d .build/debug ] || touch .build/whole-rooms
fi
# Objects of both kinds in one place do not link, so a place keeps to its kind.
[ ! -e .build/whole-rooms ] || export BROKERFS_WHOLE_ROOMS=1
swift build --build-tests --explicit-target-dependency-import-check error 2>&1 |
    tee "$logs/build.log" >&2 || fatal "the build failed"
# Thousands of clusters take a release build.
swift build "${simulator[@]}" 2>&1 | tee -a "$logs/build.log" >&2 ||
    fatal "the build of the simulator failed"

log "testing"
status=0
timeout --kill-after 30 1500 swift test --skip-build \
    --explicit-target-dependency-import-check error >"$logs/test.log" 2>&1 </dev/null || status=$?
# Swift Testing names each test when it ends, and each issue when it is recorded.
count() { grep -cE "$1" "$logs/test.log" || true; }
passed=$(count '^[^ ]+ Test ("|[^ ]+\().* passed after')
failed=$(count '^[^ ]+ Test ("|[^ ]+\().* failed after')
grep -E '^[^ ]+ Test .* skipped' "$logs/test.log" || true
if [ "$status" -ne 0 ]; then
    grep -E 'recorded an issue|^[^ ]+ Test .* failed after|^↳|[Ff]atal error|error:' \
        "$logs/test.log" || true
    log "swift test ended with $status; the whole log: $logs/test.log"
    [ "$failed" -gt 0 ] || { tail -n 40 "$logs/test.log"; failed=1; }
fi

log "simulating"
status=0
timeout --kill-after 30 1500 .build/release/brokerfs-sim --seed 1 --runs 2000 \
    >"$logs/sim.log" 2>&1 </dev/null || status=$?
if [ "$status" -eq 0 ]; then
    passed=$((passed + 1))
    # How many, and how fast; the rest is what happened in them.
    sed -n 2,3p "$logs/sim.log"
else
    failed=$((failed + 1))
    cat "$logs/sim.log"
    log "brokerfs-sim ended with $status; again: make sim SEED=n, for the n that failed"
fi

log "nemesis"
# Real nodes under every fault, once; the checks of its oracle first.
status=0
{
    python3 -B -m unittest discover -s Tests/Nemesis &&
        timeout --kill-after 30 300 dev/nemesis.sh --short --seed 1
} >"$logs/nemesis.log" 2>&1 </dev/null || status=$?
if [ "$status" -eq 0 ]; then
    passed=$((passed + 1))
    grep -E '^nemesis|rounds' "$logs/nemesis.log" || true
else
    failed=$((failed + 1))
    grep -vE '^[|]' "$logs/nemesis.log" || true
    log "the nemesis ended with $status; one scenario alone: dev/nemesis.sh --short NAME"
fi

log "examples"
if dev/examples.sh >"$logs/examples.log" 2>&1; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
cat "$logs/examples.log"

log "leftovers"
left=$(dev/clean-mounts.sh "$TMPDIR" | sed 's/^/mount /')
for environment in /proc/[0-9]*/environ; do
    process=$(basename "$(dirname "$environment")")
    [ "$(cat "/proc/$process/comm" 2>/dev/null)" = brokerfs ] || continue
    if tr '\0' '\n' <"$environment" 2>/dev/null | grep -q "^TMPDIR=$TMPDIR"; then
        left+="${left:+$'\n'}process $process"
        kill -TERM "$process" 2>/dev/null || true
    fi
done
if [ -z "$left" ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
[ -z "$left" ] || printf 'left behind by the tests: %s\n' "$left"

{
    grep -E '^[^ ]+ Test run with' "$logs/test.log" || true
    printf '%s passed, %s failed\n' "$passed" "$failed"
} | tee "$logs/summary.txt"
[ "$failed" -eq 0 ]
