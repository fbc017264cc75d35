#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Measures brokerfs beside plain file systems and an empty FUSE daemon. Needs root: it mounts, and
# the cold operations drop the machine's caches.
#   dev/bench.sh [OPTION of Benchmarks/run.py…]
. "$(dirname "$0")/common.sh"
dev/setup.sh
[ "$(id -u)" -eq 0 ] || fatal "root is needed, to mount and to drop caches"
# One user measures what many would do.
export BROKERFS_LIMITS_CHANGES_PER_SECOND=1000000 BROKERFS_LIMITS_CHANGES_BURST=1000000
swift build --configuration release --product brokerfs >&2
swift build --configuration release --product putbench >&2
make --no-print-directory -C Benchmarks all >&2
bin=$(swift build --configuration release --show-bin-path)
python3 Benchmarks/run.py --brokerfs "$bin/brokerfs mount {mountpoint} --data {state}" \
    --body Benchmarks/session.json --write docs/BENCHMARKS.md "$@"

# Durable puts through a node, beside a bare append and fdatasync on the same disk.
place=$(mktemp -d "$PWD/Benchmarks/build/puts-XXXXXX")
trap 'rm -rf -- "$place"' EXIT
"$bin/putbench" "$place/data" 5 2 >"$place/puts.jsonl"
Benchmarks/build/fdbench --label disk --round 1 --count 2000 "$place" >"$place/disk.jsonl"
python3 Benchmarks/puts.py "$place/puts.jsonl" "$place/disk.jsonl" docs/BENCHMARKS.md
