#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Plants the bugs of Tests/Nemesis/mutants in a copy of the sources, one at a time, and sees that the
# nemesis finds a violation in the scenario which each patch names. Needs root.
#   dev/mutants-nemesis.sh [NAME…]
patches=Tests/Nemesis/mutants
. "$(dirname "$0")/mutants-common.sh"
if [ "$(id -u)" -ne 0 ]; then
    log "the bugs for the nemesis are skipped: namespaces and mounts need root"
    exit 0
fi
# What one scenario may take, with nodes that end, hang or never agree.
seconds=300

# For debugging, as the short form has it: preconditions are there, and it is built sooner.
build() {
    run swift build --package-path "$work/package" --scratch-path "$scratch" --product brokerfs
}

# Runs a scenario, for so many rounds; result is green or red.
outcome() {
    local status=0 rounds=()
    [ -z "${2-}" ] || rounds=(--rounds "$2")
    BROKERFS_NEMESIS_BINARY=$scratch/debug/brokerfs run timeout --foreground --kill-after 30 \
        "$seconds" dev/nemesis.sh --short --seed 1 "${rounds[@]}" "$1" || status=$?
    if [ "$status" -eq 0 ]; then
        result=green
    elif grep -q ' VIOLATIONS ' "$work/log"; then
        result=red
    else
        # Whatever ended it has shown nothing about the bug.
        tail -n 20 "$work/log" >&2
        fatal "the nemesis ended with $status"
    fi
}

# How many promises were broken, and the first of them.
what_broke() {
    sed -nE 's/^.* ([0-9]+) VIOLATIONS .*$/\1 violations, /p' "$work/log" | tr -d '\n'
    sed -n '/ VIOLATIONS /{n;s/^ *//p;q}' "$work/log"
}

# "kill_single", or "restart_all 3" where it takes more rounds than the short form has.
examine() {
    local scenario rounds
    read -r scenario rounds < <(caught_by "$1")
    outcome "$scenario" "$rounds"
    if [ "$result" = green ]; then missed=$scenario; else finding="$scenario: $(what_broke)"; fi
}

copy_package
build_unchanged brokerfs
while read -r scenario rounds; do
    outcome "$scenario" "$rounds"
    [ "$result" = green ] || fatal "the sources as they are, $scenario: $(what_broke)"
done < <(for name in "${names[@]}"; do caught_by "$name"; done | sort -u)
examine_all
