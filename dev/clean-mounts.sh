#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Prints the brokerfs mounts at or below a directory, dead ones too, and detaches them.
#   dev/clean-mounts.sh [--list] DIRECTORY
. "$(dirname "$0")/common.sh"
cd "$OLDPWD" # a relative directory is the caller's

only_list=false
if [ "${1-}" = --list ]; then
    only_list=true
    shift
fi
[ $# -eq 1 ] || fatal "usage: dev/clean-mounts.sh [--list] DIRECTORY"
# The mount table is read, nothing below the directory is looked at: a dead mount cannot block this.
prefix=$(realpath --canonicalize-missing -- "$1")
[ "$prefix" != / ] || fatal "all mounts of the machine are too many: name a directory"

# Innermost first. Only \040 and its like are escaped in the table (proc_pid_mounts(5)).
awk '$3 == "fuse.brokerfs" { print $2 }' /proc/self/mounts | tac | while read -r escaped; do
    target=$(printf '%b' "${escaped//\\/\\0}")
    [ "$target" = "$prefix" ] || [[ "$target" == "$prefix"/* ]] || continue
    printf '%s\n' "$target"
    if ! $only_list; then
        umount --lazy -- "$target" 2>/dev/null || fusermount3 -u -z -- "$target" ||
            log "$target could not be detached"
    fi
done
