#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Plants the bugs of Tests/Nemesis/mutants in a copy of the sources, one at a time, and sees that the
# nemesis finds a violation in the scenario which each patch names. Needs root.
#   dev/mutants-nemesis.sh [NAME…]
. "$(dirname "$0")/common.sh"

if [ "$(id -u)" -ne 0 ]; then
    log "the bugs for the nemesis are skipped: namespaces and mounts need root"
    exit 0
fi
patches=$PWD/Tests/Nemesis/mutants
# What one scenario may take, with nodes that end, hang or never agree.
seconds=300
work=$(mktemp -d "${TMPDIR:-/tmp}/brokerfs-mutants.XXXXXX")
# What the tools leave behind goes with it.
export TMPDIR=$work
# Where somebody keeps the objects of the dependencies, they need not be built again.
scratch=${BROKERFS_MUTANTS_SCRATCH:-$work/build}
child=
leave() {
    # The compilers of a build have groups of their own, but the same session.
    while [ -n "$child" ] && pkill -KILL --session "$child"; do sleep 0.1; done
    wait
    rm -rf --one-file-system -- "$work"
}
trap leave EXIT
trap 'exit 130' INT TERM HUP

# Runs a command in a session of its own, so that all of it can be ended.
run() {
    local status=0
    setsid "$@" >"$work/log" 2>&1 </dev/null &
    child=$!
    wait "$child" || status=$?
    child=
    return "$status"
}

# Only patched files are written again later, so that only what depends on them is built again.
make_package() {
    mkdir "$work/package"
    cp -a Package.swift Sources Tests Benchmarks "$work/package/"
    [ ! -f Package.resolved ] || cp -a Package.resolved "$work/package/"
}

# Fails as well when a patch is taken for one of the repository around the copy and changes nothing.
plant() {
    GIT_CEILING_DIRECTORIES=$work git -C "$work/package" apply "$patches/$1.patch" &&
        ! diff -rq Sources "$work/package/Sources" >/dev/null
}

restore() {
    local file
    while read -r file; do
        cp "$file" "$work/package/$file"
    done < <(sed -n 's|^+++ b/||p' "$patches/$1.patch")
}

# For debugging, as the short form has it: preconditions are there, and it is built sooner.
build() {
    run swift build --package-path "$work/package" --scratch-path "$scratch" --product brokerfs
}

# "kill_single", or "restart_all 3" where it takes more rounds than the short form has.
caught_by() { sed -n 's/^Caught-by: //p' "$patches/$1.patch"; }

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
finding() {
    sed -nE 's/^.* ([0-9]+) VIOLATIONS .*$/\1 violations, /p' "$work/log" | tr -d '\n'
    sed -n '/ VIOLATIONS /{n;s/^ *//p;q}' "$work/log"
}

names=("$@")
if [ $# -eq 0 ]; then
    mapfile -t names < <(cd "$patches" && printf '%s\n' *.patch | sed 's/\.patch$//')
fi
for name in "${names[@]}"; do
    [ -f "$patches/$name.patch" ] || fatal "no such mutant: $name"
done

make_package
log "building brokerfs as it is"
build || { tail -n 20 "$work/log" >&2; fatal "the build failed"; }
while read -r scenario rounds; do
    outcome "$scenario" "$rounds"
    [ "$result" = green ] || fatal "the sources as they are, $scenario: $(finding)"
done < <(for name in "${names[@]}"; do caught_by "$name"; done | sort -u)

caught=0 survived=0 broken=0
for name in "${names[@]}"; do
    if ! plant "$name" || ! build; then
        printf 'BROKEN    %s  does not apply, or does not build\n' "$name"
        broken=$((broken + 1))
        restore "$name"
        continue
    fi
    read -r scenario rounds < <(caught_by "$name")
    outcome "$scenario" "$rounds"
    if [ "$result" = green ]; then
        printf 'SURVIVED  %s  %s\n' "$name" "$scenario"
        survived=$((survived + 1))
    else
        printf 'caught    %s  %s: %s\n' "$name" "$scenario" "$(finding)"
        caught=$((caught + 1))
    fi
    restore "$name"
done
printf '%s caught, %s survived\n' "$caught" "$survived"
[ "$survived" -eq 0 ] && [ "$broken" -eq 0 ]
