#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Three nodes and three mounts on one machine: who may write, a revocation that all forget, and the
# leader's end. Run by `make test`, which compares the output with expected.txt. Needs `brokerfs` in
# PATH and root, or fuse for others.
set -uo pipefail
cd "$(dirname "$0")"
data=$(cd ../data && pwd)

place=$(mktemp -d "${TMPDIR:-/tmp}/three-nodes-XXXXXX")
export SWIFT_BACKTRACE=enable=no
# Calm enough for a machine that has other things to do: nobody else leads before it is said here.
export BROKERFS_CLUSTER_ELECTION_TIMEOUT_MS=1000 BROKERFS_CLUSTER_MAX_STALENESS_MS=3000
declare -A pids
leave() {
    for name in "${!pids[@]}"; do kill "${pids[$name]}" 2>/dev/null; done
    wait
    for name in n1 n2 n3 n4; do fusermount3 -uz "$place/c/$name/mnt" 2>/dev/null; done
    rm -rf --one-file-system -- "$place"
}
trap leave EXIT

# Ports that are free now, below those the kernel gives out by itself.
port() {
    python3 - <<'PY'
import random, socket
while True:
    port = random.randrange(20000, 32000)
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            continue
    print(port)
    break
PY
}

start() {
    brokerfs serve --config "$place/c/$1/brokerfs.yaml" 2>>"$place/$1.log" &
    pids[$1]=$!
}
# Waits until something holds, for half a minute at most.
until_true() {
    for _ in $(seq 600); do eval "$1" && return; sleep 0.05; done
    echo "not in time: $1"
}
leader() { cat "$place"/c/n?/mnt/cluster/leader 2>/dev/null | grep -m 1 . ; }

nodes="n1=127.0.0.1:$(port),n2=127.0.0.1:$(port),n3=127.0.0.1:$(port)"
brokerfs cluster bootstrap --nodes "$nodes" --out "$place/c" >/dev/null
echo "# A folder for each node"
ls "$place/c/n1"
for name in n1 n2 n3; do start "$name"; done
until_true 'for n in n1 n2 n3; do brokerfs wait --ready --timeout 0 --data "$place/c/$n/data" >/dev/null 2>&1 || false; done'
until_true '[ "$(cat "$place"/c/n?/mnt/cluster/writable 2>/dev/null | grep -c 1)" = 1 ]'

old=$(leader)
others=()
for name in n1 n2 n3; do [ "$name" = "$old" ] || others+=("$name"); done
writable=$place/c/$old/mnt
first=$place/c/${others[0]}/mnt
second=$place/c/${others[1]}/mnt

echo; echo "# One mount is writable; the others say so at once"
brokerfs load "$data/identity.jsonl" --data "$place/c/${others[0]}/data"
echo carol >>"$writable/groups/oncall/members" && echo "the leader's mount takes it"
(echo carol >>"$first/groups/oncall/members") 2>&1 | sed 's|.*: ||'
until_true '[ -e "$second/sessions/alice-laptop" ]'
head -n 2 "$second/sessions/alice-laptop"

echo; echo "# A revocation on one mount is forgotten by all, read or not"
rm "$writable/sessions/alice-laptop" && echo revoked
until_true '! cat "$second/sessions/alice-laptop" >/dev/null 2>&1'
cat "$second/sessions/alice-laptop" 2>&1 | sed 's|.*: ||'
brokerfs revoke user:bob --wait all --data "$place/c/${others[1]}/data" >"$place/receipt"
echo "exit $?"
grep -c 'applied .* forgotten' "$place/receipt"

echo; echo "# The leader is killed: another mount becomes writable, and nothing comes back"
kill -9 "${pids[$old]}"
wait "${pids[$old]}" 2>/dev/null
unset "pids[$old]"
until_true '[ "$(cat "$first/cluster/writable" "$second/cluster/writable" | grep -c 1)" = 1 ]'
new=$(cat "$first/cluster/leader")
[ "$new" != "$old" ] && echo "another node leads"
ls "$place/c/$new/mnt/users/alice/sessions" | grep -c laptop
(echo '{"user_id":"alice"}' >"$place/c/$new/mnt/sessions/alice-laptop") 2>&1 | sed 's|.*: ||'

echo; echo "# It comes back as a follower, and has forgotten as well"
start "$old"
until_true '[ "$(cat "$writable/cluster/role" 2>/dev/null)" = follower ] && ls "$writable/sessions" >/dev/null 2>&1'
until_true '[ "$(ls "$writable/sessions" | wc -l)" = "$(ls "$place/c/$new/mnt/sessions" | wc -l)" ]'
ls "$writable/sessions" | grep -c alice-laptop || true

echo; echo "# A disk is lost for good: a fresh machine takes the place"
kill -9 "${pids[$old]}"
wait "${pids[$old]}" 2>/dev/null
unset "pids[$old]"
fusermount3 -uz "$writable" 2>/dev/null
node=$place/c/$new/data
brokerfs cluster remove "$old" --data "$node" >/dev/null && echo "removed"
command=$(brokerfs cluster token --name n4 --ca-key "$place/c/ca.key" --data "$node" 2>/dev/null)
# As it would be run on the new machine: `brokerfs join ADDRESS --token T`.
$command --name n4 --address "127.0.0.1:$(port)" --out "$place/c/n4" 2>/dev/null | sed -n 's/ of .*//p'
start n4
fresh=$place/c/n4/mnt
until_true '[ "$(cat "$fresh/cluster/role" 2>/dev/null)" = learner ] && ls "$fresh/sessions" >/dev/null 2>&1'
until_true 'brokerfs cluster promote n4 --data "$node" >/dev/null 2>&1'
until_true '[ "$(cat "$fresh/cluster/role" 2>/dev/null)" = follower ]'
cat "$fresh/cluster/role"
ls "$fresh/sessions" | grep -c alice-laptop || true
