"""Identity of a process, by which another one tells whether it still runs: boot, pid namespace, pid, start.

The start is what the kernel counted since the boot: unlike a time of day it does not move when the clock is set. Two
processes of one place see each other; of a process elsewhere nothing can be told.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import socket
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import psutil

_STATE, _START = 0, 19
"""Fields of ``/proc/PID/stat`` behind the program's name (proc(5): 3, and 22 in clock ticks)."""

_ENDED = frozenset({"Z", "X", "x"})


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process of any machine.

    Attributes:
        boot: Identifies the machine and its boot.
        namespace: Its pid namespace: pids of two containers mean nothing to each other.
        pid: Its process id there.
        start: When the kernel started it: clock ticks since the boot on Linux, microseconds on macOS.
    """

    boot: str
    namespace: str
    pid: int
    start: int

    @classmethod
    def identify(cls) -> ProcessIdentity:
        """Identify this process."""
        pid = os.getpid()
        return cls(identify_boot(), identify_namespace(), pid, start_of(pid) or 0)

    @property
    def is_visible(self) -> bool:
        """Whether its pid means something here."""
        return (self.boot, self.namespace) == (identify_boot(), identify_namespace())

    def is_running(self) -> bool | None:
        """Tell whether it runs; None when that can't be seen from here."""
        if not self.is_visible:
            return None
        try:
            return start_of(self.pid) == self.start
        except OSError:  # no free file descriptor: that says nothing of the process
            return None


@lru_cache(maxsize=1)
def identify_boot() -> str:
    """Identify this machine and its boot."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return _boot_session() or socket.gethostname()


@lru_cache(maxsize=1)
def identify_namespace() -> str:
    """Identify the pid namespace of this process; ``-`` where there are none."""
    try:
        return os.readlink("/proc/self/ns/pid")  # noqa: PTH115  (no path: ``pid:[4026531836]``)
    except OSError:
        return "-"


def start_of(pid: int) -> int | None:
    """Read when a process of this place started, as the kernel counts; None when it has ended.

    Raises:
        OSError: The kernel did not tell.
    """
    if sys.platform != "linux":
        return _start_elsewhere(pid)
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()
    return None if not fields or fields[_STATE] in _ENDED else int(fields[_START])


def _start_elsewhere(pid: int) -> int | None:
    try:
        process: Any = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return round(process._proc.create_time(monotonic=True) * 1_000_000)  # as the kernel noted it
    except psutil.NoSuchProcess:
        return None
    except psutil.Error as error:
        raise OSError(f"can't see when process {pid} started: {error}") from None


def _boot_session() -> str:
    """Read macOS's UUID of the boot; empty where there is none (``kern.boottime`` moves with the clock)."""
    library: Any = ctypes.CDLL(ctypes.util.find_library("c"))
    if not hasattr(library, "sysctlbyname"):
        return ""
    text = ctypes.create_string_buffer(64)
    size = ctypes.c_size_t(len(text))
    failed = library.sysctlbyname(b"kern.bootsessionuuid", text, ctypes.byref(size), None, ctypes.c_size_t(0))
    return "" if failed else text.value.decode()
