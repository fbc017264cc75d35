#!/usr/bin/env bash
# Generates Sources/Identity/Generated from Protos/. The result is committed: building the
# compiler plugin costs minutes, and a build should not depend on protoc.
#   PROTOC_GEN_SWIFT=/path/to/protoc-gen-swift dev/generate-protobuf.sh
set -euo pipefail
cd "$(dirname "$0")/.."

command -v protoc >/dev/null || { echo "protoc is missing: apt-get install protobuf-compiler" >&2; exit 1; }
plugin=${PROTOC_GEN_SWIFT:-}
if [ -z "$plugin" ]; then
    swift package resolve
    swift build --package-path .build/checkouts/swift-protobuf --scratch-path .build-protoc \
        --product protoc-gen-swift
    plugin=.build-protoc/debug/protoc-gen-swift
fi
out=Sources/Identity/Generated
rm -rf "$out"
mkdir -p "$out"
protoc --plugin=protoc-gen-swift="$plugin" --proto_path=Protos \
    --swift_out="$out" \
    --swift_opt=Visibility=Package --swift_opt=FileNaming=PathToUnderscores \
    --swift_opt=UseAccessLevelOnImports=true \
    $(cd Protos && find . -name '*.proto' | sed 's|^\./||' | LC_ALL=C sort)
ls "$out"
