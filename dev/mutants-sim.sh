#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Plants the bugs of Tests/SimulationTests/mutants in a copy of the sources, one at a time, and sees
# that simulated schedules break a promise, as many of them at most as the patch says. A trap or a
# hang counts as well.
#   dev/mutants-sim.sh [NAME…]
patches=Tests/SimulationTests/mutants
. "$(dirname "$0")/mutants-common.sh"
# How many schedules the sources as they are must pass; a bug is not shown by one that fails anyway.
green=400
# What one schedule may take of a processor at most, on the average.
seconds=5

# The C++ of the TLS library would take longer to optimise than all else.
build() {
    run swift build --package-path "$work/package" --scratch-path "$scratch" \
        --configuration release --product brokerfs-sim --jobs 1 -Xcc -O0 -Xcxx -O0
}

# Runs so many schedules of a profile; result is green, red, trap or hang.
outcome() {
    local status=0 limit=$((60 + seconds * $2))
    SWIFT_BACKTRACE=enable=no run prlimit --cpu="$limit:$((limit + 60))" \
        "$scratch/release/brokerfs-sim" --seed 0 --runs "$2" --profile "$1" --jobs 1 \
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
what_broke() {
    local line
    line=$(sed -n 's/^FAILED //p; s/^trapped in /trap in /p' "$work/log" | sed 1q)
    printf '%s\n' "${line:-$result}"
}

# "both 100": so many schedules of plain and swarm worlds, from seed 0 on.
examine() {
    local profile runs
    read -r profile runs < <(caught_by "$1")
    outcome "$profile" "$runs"
    if [ "$result" = green ]; then missed="$runs schedules, $profile"; else finding=$(what_broke); fi
}

copy_package
build_unchanged "the simulator"
outcome both "$green"
[ "$result" = green ] || fatal "the sources as they are: $(what_broke)"
examine_all
