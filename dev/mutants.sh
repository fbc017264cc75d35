#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Plants the bugs of Tests/RaftTests/mutants in a copy of the Raft core, one at a time, and sees
# that the suites which each patch names go red. A hang or a trap is red as well. Without names it
# goes on with the bugs outside of the core: mutants-sim.sh and mutants-nemesis.sh.
#   dev/mutants.sh [NAME…]
patches=Tests/RaftTests/mutants
. "$(dirname "$0")/mutants-common.sh"
# What one suite may take of a processor; some hundred green worlds take seconds.
seconds=300

# A package of these targets alone, with the flags that Package.swift gives them.
make_package() {
    mkdir -p "$work/package/Sources/Simulation" "$work/package/Tests"
    # The reference model needs the core alone; the rest of the room would bring the whole product.
    cp -R Sources/Raft "$work/package/Sources/"
    cp -R Sources/Simulation/Reference "$work/package/Sources/Simulation/"
    cp -R Tests/RaftTests "$work/package/Tests/"
    {
        sed -n 1p Package.swift
        printf 'import PackageDescription\n'
        sed -n '/^let wholeRooms/,/^let quiet/p' Package.swift
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

# Every suite that a patch names must go red.
examine() {
    local suite
    while read -r suite; do
        outcome "$suite"
        case $result in
        green) missed+="${missed:+, }$suite" ;;
        red) finding+="${finding:+, }$suite" ;;
        *) finding+="${finding:+, }$suite ($result)" ;;
        esac
    done < <(caught_by "$1" | sed 's/, */\n/g')
}

make_package
build_unchanged "the core"
for suite in plays paper fuzz 'simulation 480'; do
    outcome "$suite"
    [ "$result" = green ] || fatal "the core as it is: $suite ends with $result"
done
status=0
examine_all Sources/Raft || status=1
if [ $# -eq 0 ]; then
    dev/mutants-sim.sh || status=1
    dev/mutants-nemesis.sh || status=1
fi
exit "$status"
