"""Child processes that die with us, and how one ended.

PR_SET_PDEATHSIG makes the kernel kill a child when the *thread* that forked it ends, so children are started from the
main thread only. When the parent died before the child could ask for that, the child sees another parent and leaves.

Source: prctl(2).
"""

from __future__ import annotations

import ctypes
import os
import signal

PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None)


def die_with(parent: int) -> None:
    """In the child, between fork and exec."""
    _libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def ending(code: int) -> str:
    """An exit status in words: "exit code 1", "killed by SIGKILL"."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
