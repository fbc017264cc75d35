#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Plants the bugs of Tests/RaftTests/mutants in a copy of the Raft core, one at a time, and sees
# that the suites which each patch names go red. A hang or a trap is red as well. Without names it
# goes on with the bugs outside of the core: mutants-sim.sh.
#   dev/mutants.sh [NAME…]
. "$(dirname "$0")/common.sh"

patches=$PWD/Tests/RaftTests/mutants
# What one suite may take of a processor; some hundred green worlds take seconds.
seconds=300
work=$(mktemp -d "${TMPDIR:-/tmp}/brokerfs-mutants.XXXXXX")
# What the tools leave behind goes with it.
export TMPDIR=$work
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

# A package of these targets alone, with the flags that Package.swift gives them.
make_package() {
    mkdir -p "$work/package/Sources/Simulation" "$work/package/Tests"
    # The reference model needs the core alone; the rest of the room would bring the whole product.
    cp -R Sources/Simulation/Reference "$work/package/Sources/Simulation/"
    cp -R Tests/RaftTests "$work/package/Tests/"
    {
        sed -n 1p Package.swift
        printf 'import PackageDescription\n'
        sed -n '/^let settings/,/^let quiet/p' Package.swift
        cat <<'END'
let package = Package(
    name: "mutants",
    targets: [
        .target(name: "Raft", swiftSettings: quiet),
        .target(name: "Simulation", dependencies: ["Raft"], swiftSettings: quiet),
        .testTarget(
            name: "RaftTests",
            dependencies: ["Raft", "Simulation"],
            exclude: ["testdata", "mutants"],
            swiftSettings: settings
        ),
    ],
    swiftLanguageModes: [.v6]
)
END
    } >"$work/package/Package.swift"
}

restore() {
    rm -rf "$work/package/Sources/Raft"
    cp -R Sources/Raft "$work/package/Sources/Raft"
}

# Fails as well when a patch is taken for one of the repository around the copy and changes nothing.
plant() {
    GIT_CEILING_DIRECTORIES=$work git -C "$work/package" apply "$patches/$1.patch" &&
        ! diff -rq Sources/Raft "$work/package/Sources/Raft" >/dev/null
}

build() {
    run swift build --package-path "$work/package" --configuration release --build-tests \
        --jobs 1 -Xswiftc -enable-testing
}

# Runs "plays", "paper", "fuzz" or "simulation N"; result is green, red, trap or hang.
outcome() {
    local filter status=0 worlds=0
    case $1 in
    plays) filter=TranscriptTests ;;
    paper) filter=Paper ;;
    fuzz) filter=FuzzTests ;;
    simulation\ *) filter=SimulationTests worlds=$((${1#* } / 8)) ;;
    *) fatal "no such suite: $1" ;;
    esac
    BROKERFS_WORLDS=$worlds SWIFT_BACKTRACE=enable=no \
        run prlimit --cpu="$seconds" timeout --foreground --kill-after 5 $((10 * seconds)) \
        "$work/package/.build/release/mutantsPackageTests.xctest" \
        --testing-library swift-testing --filter "$filter" || status=$?
    case $status in
    0) result=green ;;
    # timeout, or the signal for too much of a processor.
    124 | 137 | $((128 + 24))) result=hang ;;
    *)
        result=red
        if [ "$status" -gt 128 ] || grep -q 'Fatal error' "$work/log"; then result=trap; fi
        ;;
    esac
}

names=("$@")
if [ $# -eq 0 ]; then
    mapfile -t names < <(cd "$patches" && printf '%s\n' *.patch | sed 's/\.patch$//')
fi
for name in "${names[@]}"; do
    [ -f "$patches/$name.patch" ] || fatal "no such mutant: $name"
done

make_package
restore
log "building the core as it is"
build || { tail -n 20 "$work/log" >&2; fatal "the build failed"; }
for suite in plays paper fuzz 'simulation 480'; do
    outcome "$suite"
    [ "$result" = green ] || fatal "the core as it is: $suite ends with $result"
done

caught=0 survived=0 broken=0
for name in "${names[@]}"; do
    restore
    if ! plant "$name" || ! build; then
        printf 'BROKEN    %s  does not apply, or does not build\n' "$name"
        broken=$((broken + 1))
        continue
    fi
    by='' missed=''
    while read -r suite; do
        outcome "$suite"
        case $result in
        green) missed+="${missed:+, }$suite" ;;
        red) by+="${by:+, }$suite" ;;
        *) by+="${by:+, }$suite ($result)" ;;
        esac
    done < <(sed -n 's/^Caught-by: //p' "$patches/$name.patch" | sed 's/, */\n/g')
    if [ -n "$by" ] && [ -z "$missed" ]; then
        printf 'caught    %s  by %s\n' "$name" "$by"
        caught=$((caught + 1))
    else
        printf 'SURVIVED  %s  in %s\n' "$name" "${missed:-no suite at all}"
        survived=$((survived + 1))
    fi
done
printf '%s caught, %s survived\n' "$caught" "$survived"
status=0
[ "$survived" -eq 0 ] && [ "$broken" -eq 0 ] || status=1
if [ $# -eq 0 ]; then dev/mutants-sim.sh || status=1; fi
exit "$status"
