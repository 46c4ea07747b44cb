"""Resource limits of a sandboxed child."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from dataclasses import dataclass

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


@dataclass(frozen=True)
class Limits:
    """Bounds of one file's processing.

    Attributes:
        wall_s: Seconds until the child is killed.
        memory_bytes: Address space of the child, the libraries' own (some 300 MB) included.
        file_bytes: Largest file that it may write.
    """

    wall_s: float = 25.0
    memory_bytes: int = 1536 << 20
    file_bytes: int = 512 << 20

    def apply(self) -> None:
        """Bind the calling process to these limits; it can't lift them."""
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (self.memory_bytes, self.memory_bytes))
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.file_bytes, self.file_bytes))
        cpu_s = int(self.wall_s) + 5
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))


def die_with_parent(parent: int) -> None:
    """Let the kernel kill this process when its parent ends (Linux; elsewhere the closed socket does it)."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
