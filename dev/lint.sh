#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The format of the sources, and the rules of the house that TidyTests hold.
. "$(dirname "$0")/common.sh"
status=0
dev/format.sh --lint || status=1
BROKERFS_ROOMS=quiet swift test --scratch-path .build-quiet --filter TidyTests || status=1
exit "$status"
