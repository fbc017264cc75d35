#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Formats the Swift sources, or complains of them. Generated code is left alone.
#   dev/format.sh --fix | --lint
. "$(dirname "$0")/common.sh"

case "${1-}" in
--fix) command=(swift format format --in-place --parallel) ;;
--lint) command=(swift format lint --strict --parallel) ;;
*) fatal "usage: dev/format.sh --fix | --lint" ;;
esac
mapfile -t files < <(find Package.swift Sources Tests Benchmarks -name '*.swift' \
    -not -path '*/Generated/*' -not -path '*/.build*' | LC_ALL=C sort)
"${command[@]}" --configuration .swift-format "${files[@]}"
