"""What a child takes from itself before it touches foreign bytes. Linux."""

import ctypes
import math
import os
import resource
import signal
import time

from filmroll.engine.wire import MAX_FILES

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_OWN_FILES = 20  # descriptors beside those of a request: socket, stderr, fonts


def confine(memory: int, niceness: int) -> None:
    """Bound the address space to ``memory`` bytes, forbid new files, core dumps and orphanhood.

    Others come first, by so much ``niceness``.

    The kernel ties the death signal to the thread that started this process: the parent starts
    its children from the thread of its event loop, which lives as long as it does.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    os.nice(niceness)
    _limit(resource.RLIMIT_AS, memory)
    _limit(resource.RLIMIT_NOFILE, MAX_FILES + _OWN_FILES)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CORE, 0)


def allow_cpu(seconds: float) -> None:
    """Grant so many seconds of CPU time from now on; then SIGXCPU ends the process."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time() + seconds), hard))


def _limit(kind: int, value: int) -> None:
    _soft, hard = resource.getrlimit(kind)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))
