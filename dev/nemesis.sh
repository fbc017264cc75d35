#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Real nodes in network namespaces under every fault, with an oracle: docs/TESTING.md, "Nemesis".
# Needs root.
#   dev/nemesis.sh [--short] [--seed N] [--rounds N] [--nodes 3|5] [--keep] [SCENARIO…]
# The long form takes a release build, the short form the debug build that the tests use. Another
# binary: BROKERFS_NEMESIS_BINARY=FILE.
. "$(dirname "$0")/common.sh"

if [ "$(id -u)" -ne 0 ]; then
    log "nemesis is skipped: namespaces and mounts need root"
    exit 0
fi
dev/setup.sh
is_short=false keeps=false
for argument in "$@"; do
    case $argument in
    --short) is_short=true ;;
    --keep) keeps=true ;;
    esac
done
binary=${BROKERFS_NEMESIS_BINARY-}
if [ -z "$binary" ] && $is_short; then
    binary=$(swift build --show-bin-path)/brokerfs
elif [ -z "$binary" ]; then
    swift build --configuration release --product brokerfs >&2
    binary=$(swift build --configuration release --show-bin-path)/brokerfs
fi
[ -x "$binary" ] || fatal "$binary is missing: make build"

scratch=$(mktemp -d "${TMPDIR:-/tmp}/brokerfs-nemesis.XXXXXX")
# All else of a run is in namespaces that end with it (Tests/Nemesis/world.py).
leave() { if ! $keeps; then rm -rf --one-file-system -- "$scratch"; fi; }
trap leave EXIT
trap 'exit 130' INT TERM HUP
status=0
PYTHONDONTWRITEBYTECODE=1 python3 Tests/Nemesis/nemesis.py --binary "$binary" \
    --scratch "$scratch" "$@" || status=$?
if $keeps; then log "logs of what failed: $scratch"; fi
exit "$status"
