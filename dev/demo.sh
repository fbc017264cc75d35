#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds brokerfs and shows it: sample identity state, mounted in a temporary place.
. "$(dirname "$0")/common.sh"
dev/setup.sh
swift build --product brokerfs >&2
exec .build/debug/brokerfs demo "$@"
