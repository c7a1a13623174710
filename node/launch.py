"""How does a child die with its parent, and run as whom? Run by path, with ``python -I -S``.

``launch.py PARENT_PID SIGNAL USER COMMAND…`` asks the kernel to send SIGNAL when the thread that
started it ends, takes on USER (``-``: stay as we are) and becomes COMMAND. It imports nothing of
the project and nothing outside the standard library, so it costs about 15 ms.

A root that becomes USER keeps one capability, to pass file permissions: a clone under ``/root``
and its data directory are closed to everybody else, and PostgreSQL refuses to run as root.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import struct
import sys

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522


def _become(libc: ctypes.CDLL, user: str) -> None:
    """Take on ``user`` for good, keeping CAP_DAC_OVERRIDE where the kernel lets us."""
    entry = pwd.getpwnam(user)
    libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
    os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)
    header = struct.pack("=Ii", CAPABILITY_VERSION_3, 0)
    bit = 1 << CAP_DAC_OVERRIDE
    data = struct.pack("=6I", bit, bit, bit, 0, 0, 0)
    if libc.capset(header, data) == 0:
        libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)
    # Where it did not take (a container without that capability), PostgreSQL names the path that
    # it cannot reach, and `jiexu doctor` says how to mend it.


def main(arguments: list[str]) -> None:
    """Bind to the parent, change the user, become the command."""
    parent, death_signal, user, *command = arguments
    libc = ctypes.CDLL(None, use_errno=True)
    if user != "-":
        _become(libc, user)
    # After the change of user, which clears it; before the check, so that no gap is left.
    if sys.platform == "linux":
        libc.prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
    if os.getppid() != int(parent):
        sys.exit("the parent is gone already")
    os.execv(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
