"""Settings of the C library's allocator, for a program of many threads that runs for days."""

from __future__ import annotations

import contextlib
import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""Numbers of ``mallopt`` in glibc's ``malloc.h``."""

ARENAS = 2
LARGE_BYTES = 1_000_000
"""Size from which memory is given back to the system as soon as it is free."""


def give_memory_back() -> None:
    """Let threads share their memory, and give large pieces back at once; without glibc nothing is set.

    Otherwise each thread that reads gets an arena of its own, and what a search over a million runs needed for a moment
    stays with it.
    """
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError, AttributeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_ARENA_MAX, ARENAS)
        mallopt(_MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(_TRIM_THRESHOLD, LARGE_BYTES)
