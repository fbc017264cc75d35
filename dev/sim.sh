#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds brokerfs-sim and runs simulated clusters with it; says the seed first, whatever comes.
#   dev/sim.sh [OPTION…]             OPTIONs are those of brokerfs-sim, as --trace and --shrink
# SEED=n is the first seed (fresh if not given), RUNS=n how many (1 of a given seed, 1000 fresh
# ones), PROFILE how worlds are drawn: plain, swarm, or both in turn.
. "$(dirname "$0")/common.sh"
runs=${RUNS-}
if [ -z "$runs" ]; then
    if [ -n "${SEED-}" ]; then runs=1; else runs=1000; fi
fi
seed=${SEED-}
[ -n "$seed" ] || seed=$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')
log "SEED=$seed RUNS=$runs PROFILE=${PROFILE:-both}"
dev/setup.sh
swift build --configuration release --product brokerfs-sim >&2
exec .build/release/brokerfs-sim --seed "$seed" --runs "$runs" --profile "${PROFILE:-both}" "$@"
