# SPDX-License-Identifier: Apache-2.0
# What dev/mutants.sh, mutants-sim.sh and mutants-nemesis.sh have in common. Sourced with the names
# of the bugs to plant, or none for all; `patches` is their directory.
. "$(dirname "$0")/common.sh"

patches=$PWD/$patches
work=$(mktemp -d "${TMPDIR:-/tmp}/brokerfs-mutants.XXXXXX")
# What the tools leave behind goes with it.
export TMPDIR=$work
# Where somebody keeps the objects of the dependencies, they need not be built again.
scratch=${BROKERFS_MUTANTS_SCRATCH:-$work/build}
child=
caught=0 survived=0 broken=0

leave() {
    # The compilers of a build have groups of their own, but the same session.
    while [ -n "$child" ] && pkill -KILL --session "$child"; do sleep 0.1; done
    wait
    rm -rf --one-file-system -- "$work"
}
trap leave EXIT
trap 'exit 130' INT TERM HUP

names=("$@")
if [ $# -eq 0 ]; then
    mapfile -t names < <(cd "$patches" && printf '%s\n' *.patch | sed 's/\.patch$//')
fi
for name in "${names[@]}"; do
    [ -f "$patches/$name.patch" ] || fatal "no such mutant: $name"
done

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

# A copy of all sources, in $work/package. Only patched files are written again later, so that only
# what depends on them is built again.
copy_package() {
    mkdir "$work/package"
    cp -a Package.swift Sources Tests Benchmarks "$work/package/"
    [ ! -f Package.resolved ] || cp -a Package.resolved "$work/package/"
}

# Fails as well when a patch is taken for one of the repository around the copy and changes nothing.
# $2: the directory in which it must change something.
plant() {
    local changed=${2:-Sources}
    GIT_CEILING_DIRECTORIES=$work git -C "$work/package" apply "$patches/$1.patch" &&
        ! diff -rq "$changed" "$work/package/$changed" >/dev/null
}

restore() {
    local file
    while read -r file; do
        cp "$file" "$work/package/$file"
    done < <(sed -n 's|^+++ b/||p' "$patches/$1.patch")
}

# What a patch says of how it is to be caught.
caught_by() { sed -n 's/^Caught-by: //p' "$patches/$1.patch"; }

# Builds the sources as they are, which is no mutant's fault if it fails.
build_unchanged() {
    log "building $1 as it is"
    build || { tail -n 20 "$work/log" >&2; fatal "the build failed"; }
}

# Plants each bug, builds, calls `examine NAME`, which says in `finding` what has seen the bug, or in
# `missed` what has not, and takes it out again. Fails where one survived or was no bug at all.
examine_all() {
    local name
    for name in "${names[@]}"; do
        finding='' missed=''
        if ! plant "$name" "${1-}" || ! build; then
            printf 'BROKEN    %s  does not apply, or does not build\n' "$name"
            broken=$((broken + 1))
        elif examine "$name" && [ -n "$finding" ] && [ -z "$missed" ]; then
            printf 'caught    %s  %s\n' "$name" "$finding"
            caught=$((caught + 1))
        else
            printf 'SURVIVED  %s  %s\n' "$name" "${missed:-nothing looked}"
            survived=$((survived + 1))
        fi
        restore "$name"
    done
    printf '%s caught, %s survived\n' "$caught" "$survived"
    [ "$survived" -eq 0 ] && [ "$broken" -eq 0 ]
}
