#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing on a Debian 12 to build, test and measure; does nothing where nothing is.
. "$(dirname "$0")/common.sh"

packages=(
    librocksdb-dev libfuse3-dev pkg-config libc6-dev gcc g++ git make # to build
    fuse3 util-linux procps                                   # to mount, and to look after mounts
    attr e2fsprogs jq python3                                 # what tests, examples and benchmarks run
    iproute2 iptables                                         # networks to be cut
    vim nano emacs-nox ed expect rsync                        # the tools that tests change files with
)

command -v swift >/dev/null || fatal "swift is missing: install Swift 6.2 or later for Debian 12" \
    "from https://www.swift.org/install/linux/ and put its usr/bin into PATH"
version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p' | head -n 1)
oldest=$(printf '%s\n' 6.2 "$version" | sort -V | head -n 1)
[ -n "$version" ] && [ "$oldest" = 6.2 ] ||
    fatal "Swift ${version:-of an unknown version} is too old: 6.2 or later is needed," \
        "from https://www.swift.org/install/linux/"

missing=()
for package in "${packages[@]}"; do
    status=$(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fatal "as root, run: apt-get install ${missing[*]}"
    log "sudo is asked for, to install: ${missing[*]}"
    as_root=(sudo)
fi
log "installing ${missing[*]}"
"${as_root[@]}" apt-get update
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install --yes --no-install-recommends "${missing[@]}"
