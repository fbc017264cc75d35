# SPDX-License-Identifier: Apache-2.0
"""Becomes a command in the network namespace of a process: launch.py PID SECONDS COMMAND…

Keeps its own process id, unlike nsenter and unshare with a clock. SECONDS other than 0 are added to
the monotonic and the boot-time clock of the command, in a time namespace of its own.
"""

import ctypes
import os
import sys

CLONE_NEWTIME = 0x00000080
CLONE_NEWNET = 0x40000000

libc = ctypes.CDLL(None, use_errno=True)


def check(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def main():
    namespace = os.open(f"/proc/{sys.argv[1]}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    check(libc.setns(namespace, CLONE_NEWNET), "setns")
    if sys.argv[2] != "0":
        # It takes effect with the exec below.
        check(libc.unshare(CLONE_NEWTIME), "unshare")
        with open("/proc/self/timens_offsets", "w") as offsets:
            offsets.write(f"monotonic {sys.argv[2]} 0\nboottime {sys.argv[2]} 0\n")
    os.execvp(sys.argv[3], sys.argv[3:])


main()
