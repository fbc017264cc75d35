#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Plants the bugs of Tests/SimulationTests/mutants in a copy of the sources, one at a time, and sees
# that simulated schedules break a promise, as many of them at most as the patch says. A trap or a
# hang counts as well.
#   dev/mutants-sim.sh [NAME…]
. "$(dirname "$0")/common.sh"

patches=$PWD/Tests/SimulationTests/mutants
# How many schedules the sources as they are must pass; a bug is not shown by one that fails anyway.
green=400
# What one schedule may take of a processor at most, on the average.
seconds=5
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
    # Bash would say of a trap what the caller says already.
    { wait "$child" || status=$?; } 2>/dev/null
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

build() {
    run swift build --package-path "$work/package" --scratch-path "$scratch" \
        --configuration release --product brokerfs-sim --jobs 1
}

# Runs so many schedules of a profile from a seed on; result is green, red, trap or hang.
outcome() {
    local status=0 limit=$((60 + seconds * $2))
    SWIFT_BACKTRACE=enable=no run prlimit --cpu="$limit:$((limit + 60))" \
        "$scratch/release/brokerfs-sim" --seed "$3" --runs "$2" --profile "$1" --jobs 1 \
        --failures 1 || status=$?
    case $status in
    0) result=green ;;
    1) result=red ;;
    # SIGXCPU: too much of a processor.
    152) result=hang ;;
    # SIGILL, SIGTRAP, SIGABRT, SIGSEGV: a precondition, or worse.
    132 | 133 | 134 | 139) result=trap ;;
    # Whatever ended it from outside has shown nothing about the bug.
    *) fatal "brokerfs-sim ended with $status" ;;
    esac
}

# Which schedule it was and what it broke.
finding() {
    local line
    line=$(sed -n 's/^FAILED //p; s/^trapped in /trap in /p' "$work/log" | sed 1q)
    printf '%s\n' "${line:-$result}"
}

names=("$@")
if [ $# -eq 0 ]; then
    mapfile -t names < <(cd "$patches" && printf '%s\n' *.patch | sed 's/\.patch$//')
fi
for name in "${names[@]}"; do
    [ -f "$patches/$name.patch" ] || fatal "no such mutant: $name"
done

make_package
log "building the simulator as it is"
build || { tail -n 20 "$work/log" >&2; fatal "the build failed"; }
outcome both "$green" 0
[ "$result" = green ] || fatal "the sources as they are: $(finding)"

caught=0 survived=0 broken=0
for name in "${names[@]}"; do
    if ! plant "$name" || ! build; then
        printf 'BROKEN    %s  does not apply, or does not build\n' "$name"
        broken=$((broken + 1))
        restore "$name"
        continue
    fi
    # "both 100", or "both 100 from 2800" where the first such schedule is far away.
    read -r profile runs _ first < <(sed -n 's/^Caught-by: //p' "$patches/$name.patch")
    outcome "$profile" "$runs" "${first:-0}"
    if [ "$result" = green ]; then
        printf 'SURVIVED  %s  %s schedules, %s\n' "$name" "$runs" "$profile"
        survived=$((survived + 1))
    else
        printf 'caught    %s  %s\n' "$name" "$(finding)"
        caught=$((caught + 1))
    fi
    restore "$name"
done
printf '%s caught, %s survived\n' "$caught" "$survived"
[ "$survived" -eq 0 ] && [ "$broken" -eq 0 ]
