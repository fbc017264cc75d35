#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# One node on one mount: what an operator does on an ordinary day, with what it prints.
# Run by `make test`, which compares the output with expected.txt. Needs `brokerfs` in PATH.
set -uo pipefail
cd "$(dirname "$0")"
data=$(cd ../data && pwd)

place=$(mktemp -d "${TMPDIR:-/tmp}/single-node-XXXXXX")
export BROKERFS_DATA=$place/data SWIFT_BACKTRACE=enable=no
mount=$place/mnt
mkdir "$mount"
brokerfs mount "$mount" 2>"$place/log" &
node=$!
leave() {
    kill "$node" 2>/dev/null && wait "$node"
    fusermount3 -uz "$mount" 2>/dev/null
    rm -rf --one-file-system -- "$place"
}
trap leave EXIT
for _ in $(seq 200); do brokerfs status >/dev/null 2>&1 && break; sleep 0.05; done

# Shows a command, runs it in the mount, and shows how it ended where that was not well.
run() {
    printf '$ %s\n' "$1" | sed "s|$data/||g"
    (cd "$mount" && eval "$1") 2>&1 |
        sed -e "s|$mount|MOUNT|g" -e "s|$data/||g" -e 's|^.*run.sh: line [0-9]*: ||' \
        -e 's|^index [0-9]*, term [0-9]*, .*Z$|index N, term T, when|'
    local status=${PIPESTATUS[0]}
    [ "$status" -eq 0 ] || printf '(exit %s)\n' "$status"
}

echo "# Load what the identity provider and the directory know"
run "brokerfs load $data/identity.jsonl"
run "ls"
run "ls users | head -n 4"
run "brokerfs path session alice-laptop"

echo; echo "# Look"
run "ls users/alice/sessions"
run "cat sessions/alice-laptop | grep -v token"
run "grep -c hidden sessions/alice-laptop"
run "cat users/alice/email users/alice/groups"
run "cat groups/oncall/members groups/oncall/count"
run "cat context/device/alice-laptop"
run "getfattr -n user.brokerfs.user --only-values sessions/alice-laptop; echo"

echo; echo "# Gate a script on a group: three ways that fail closed"
run "grep -qxF -- alice groups/oncall/members && echo go"
run "[ -L groups/oncall/members.d/bob ] || echo stop"
run "brokerfs member oncall bob"

echo; echo "# Change who is in a group"
run "echo bob >> groups/oncall/members; cat groups/oncall/members"
run "printf 'alice\ncarol\n' > ../rota; cp ../rota groups/oncall/members; cat groups/oncall/members"
run "cat users/bob/groups"

echo; echo "# Revoke: one session, one person, one group"
run "rm sessions/alice-phone; ls users/alice/sessions"
run "cat sessions/alice-phone"
run "echo '{\"user_id\":\"alice\"}' > sessions/alice-phone"
run "rmdir users/bob/sessions; ls users/bob/sessions"
run "brokerfs revoke group:contractors --reason 'contract ended'"
run "brokerfs revoke user:nobody-of-that-name"
run "tail -n 1 events/all.jsonl | sed 's/\"time\":\"[^\"]*\"/\"time\":\"…\"/'"

echo; echo "# What is refused"
run "echo '{\"user_id\":\"alice\",\"usr\":1}' > sessions/typo"
run "brokerfs load $data/bad.jsonl"
run "rm users/alice/user.json"
run "mv sessions/alice-laptop sessions/stolen"

echo; echo "# Set and drop context"
run "mkdir -p context/ticket; echo INC-4211 > context/ticket/alice; cat context/ticket/alice"
run "rm context/ticket/alice; ls context"

echo; echo "# Kill it; it comes back over its dead mount with everything it acknowledged"
kill -9 "$node"; wait "$node" 2>/dev/null
brokerfs mount "$mount" 2>>"$place/log" &
node=$!
for _ in $(seq 200); do brokerfs status >/dev/null 2>&1 && break; sleep 0.05; done
run "ls users/alice/sessions; cat groups/oncall/members"
run "cat sessions/alice-phone"
