# SPDX-License-Identifier: Apache-2.0
# Sourced by the other scripts: fails early, works from the root of the repository.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

log() { printf '** %s\n' "$*" >&2; }
fatal() {
    printf '** ERROR: %s\n' "$*" >&2
    exit 1
}
