#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs every examples/*/run.sh against its expected.txt. A directory without run.sh holds data.
#   dev/examples.sh [NAME…]
# BROKERFS_REWRITE=1 writes expected.txt anew instead; read the difference before you commit it.
. "$(dirname "$0")/common.sh"

root=$PWD
export PATH="$root/.build/debug:$PATH"
command -v brokerfs >/dev/null || fatal "brokerfs is not built: make build"
place=$(mktemp -d "${TMPDIR:-/tmp}/examples.XXXXXX")
cleanup() {
    dev/clean-mounts.sh "$place" >&2
    # Never across a mount that is still there.
    rm -rf --one-file-system -- "$place"
}
trap cleanup EXIT

passed=0
failed=0
for run in examples/*/run.sh; do
    [ -e "$run" ] || continue
    name=$(basename "$(dirname "$run")")
    [ $# -eq 0 ] || [[ " $* " == *" $name "* ]] || continue
    mkdir "$place/$name"
    status=0
    (cd "examples/$name" && TMPDIR="$place/$name" timeout --kill-after 10 120 \
        bash ./run.sh </dev/null) >"$place/$name.out" 2>"$place/$name.err" || status=$?
    if [ "$status" -eq 0 ] && [ -n "${BROKERFS_REWRITE-}" ]; then
        cp "$place/$name.out" "examples/$name/expected.txt"
    fi
    if [ "$status" -eq 0 ] && diff -u "examples/$name/expected.txt" "$place/$name.out" >"$place/$name.diff"; then
        printf 'ok    %s\n' "$name"
        passed=$((passed + 1))
    else
        printf 'FAIL  %s (exit %s)\n' "$name" "$status"
        cat "$place/$name.diff" 2>/dev/null || true
        tail -n 20 "$place/$name.err"
        failed=$((failed + 1))
    fi
done
printf 'examples: %s passed, %s failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
