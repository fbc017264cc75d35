#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Measures brokerfs beside other file systems, against its own size, beside PostgreSQL, and three
# nodes of it beside etcd. Needs root: it mounts, makes networks, and the cold operations drop the
# machine's caches.
#   dev/bench.sh                     every step, with its defaults
#   dev/bench.sh STEP [OPTION…]      one of files, requests, puts, scale, revoke, raft, postgres,
#                                    cluster; OPTIONs are those of Benchmarks/run.py, scale.py, …
#   dev/bench.sh cluster [--quick]   all that needs three nodes; also one by one: revoke-cluster,
#                                    throughput, failover, catchup
# Binaries that are built already are measured with BROKERFS_BENCH_BINARIES=DIRECTORY.
. "$(dirname "$0")/common.sh"
steps=(files requests puts scale revoke raft postgres cluster)
parts=(revoke-cluster throughput failover catchup)
if [ $# -gt 0 ]; then
    [[ " ${steps[*]} ${parts[*]} " == *" $1 "* ]] ||
        fatal "no step $1; there are: ${steps[*]}, and of cluster: ${parts[*]}"
    steps=("$1")
    shift
fi
dev/setup.sh
[ "$(id -u)" -eq 0 ] || fatal "root is needed, to mount and to drop caches"
bin=${BROKERFS_BENCH_BINARIES-}
if [ -z "$bin" ]; then
    swift build --configuration release --product brokerfs >&2
    swift build --configuration release --product putbench >&2
    swift build --configuration release --product raftbench >&2
    swift build --configuration release --product brokerfs-sim >&2
    bin=$(swift build --configuration release --show-bin-path)
fi
# One user measures what many would do.
export BROKERFS_LIMITS_CHANGES_PER_SECOND=1000000 BROKERFS_LIMITS_CHANGES_BURST=1000000
export BROKERFS_BRAKE_UNLINKS=0
make --no-print-directory -C Benchmarks all >&2
document=docs/BENCHMARKS.md
place=
# A new directory for a step, without that of the step before. Nothing is mounted there: what mounts
# does so in a mount namespace of its own.
new_place() {
    if [ -n "$place" ]; then rm -rf --one-file-system -- "$place"; fi
    place=$(mktemp -d "$PWD/Benchmarks/build/$1-XXXXXX")
}
trap '[ -z "$place" ] || rm -rf --one-file-system -- "$place"' EXIT
# With a trap of its own, bash waits for the step to end before it removes the directory.
trap 'exit 130' INT TERM HUP

files() {
    python3 Benchmarks/run.py --brokerfs "$bin/brokerfs mount {mountpoint} --data {state}" \
        --body Benchmarks/session.json --write $document "$@"
}

# What a request costs: client and daemon take turns on one processor.
requests() {
    files --processor 0 --section requests --targets tmpfs,floor-3600 --baseline floor-3600 \
        --ops stat,stat-cold,open-read,open-read-cold,readdir-cold --appends 0 "$@"
}

# Durable puts through a node, beside a bare append and fdatasync on the same disk.
puts() {
    new_place puts
    "$bin/putbench" "$place/data" 5 2 >"$place/puts.jsonl"
    Benchmarks/build/fdbench --label disk --round 1 --count 2000 "$place" >"$place/disk.jsonl"
    python3 Benchmarks/puts.py "$place/puts.jsonl" "$place/disk.jsonl" $document
}

scale() { python3 Benchmarks/scale.py --binary "$bin/brokerfs" --write $document "$@"; }
revoke() { python3 Benchmarks/revoke.py --binary "$bin/brokerfs" --write $document "$@"; }
# The Raft core alone, and whole simulated clusters.
raft() {
    new_place raft
    "$bin/raftbench" 5 100000 >"$place/raft.jsonl"
    "$bin/brokerfs-sim" --seed 1 --runs 1000 >"$place/sim.txt"
    python3 Benchmarks/raft.py "$place/raft.jsonl" "$place/sim.txt" $document
}

postgres() {
    if ! compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; then
        log "step postgres is left out: apt-get install postgresql"
        return
    fi
    python3 Benchmarks/postgres.py --binary "$bin/brokerfs" --write $document "$@"
}

# Three nodes in networks of their own. Whatever ends such a script, its mounts, networks and
# processes end with it; only the directory is left, and is removed here.
three_nodes() {
    local script=$1
    shift
    new_place "$script"
    PYTHONDONTWRITEBYTECODE=1 python3 "Benchmarks/$script.py" --binary "$bin/brokerfs" \
        --scratch "$place" --write $document "$@"
}
revoke-cluster() { three_nodes revoke_cluster "$@"; }
throughput() { three_nodes throughput "$@"; }
failover() { three_nodes failover "$@"; }
catchup() { three_nodes catchup "$@"; }
cluster() {
    local part
    for part in "${parts[@]}"; do
        log "step $part"
        "$part" "$@"
    done
}

for step in "${steps[@]}"; do
    log "step $step"
    "$step" "$@"
done
