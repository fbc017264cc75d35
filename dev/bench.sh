#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Measures brokerfs beside plain file systems and an empty FUSE daemon. Needs root: it mounts, and
# the cold operations drop the machine's caches.
#   dev/bench.sh [OPTION of Benchmarks/run.py…]
. "$(dirname "$0")/common.sh"
dev/setup.sh
[ "$(id -u)" -eq 0 ] || fatal "root is needed, to mount and to drop caches"
swift build --configuration release --product brokerfs >&2
make --no-print-directory -C Benchmarks all >&2
exec python3 Benchmarks/run.py --brokerfs "$PWD/.build/release/brokerfs mount {mountpoint} --data {state}" "$@"
