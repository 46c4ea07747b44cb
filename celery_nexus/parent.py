"""Parent-death signals: a stack's program ends with supervisord, a pool child with its worker.

Linux only (``prctl(2)``, PR_SET_PDEATHSIG); elsewhere these calls do nothing.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def end_with_supervisor() -> None:
    """Ask for SIGTERM when supervisord dies; does nothing for a program started by hand."""
    if os.environ.get("SUPERVISOR_ENABLED"):
        _signal_at_parents_death(signal.SIGTERM, os.getppid())


def end_with_parent(parent_pid: int) -> None:
    """Ask for SIGTERM when the process that starts this one dies.

    Args:
        parent_pid: Of that process, which may have died since.
    """
    _signal_at_parents_death(signal.SIGTERM, parent_pid)


def end_with_worker(worker_pid: int) -> None:
    """Ask for SIGKILL when the worker dies: its messages go to others, and a run must not go on beside them.

    Args:
        worker_pid: Of the worker, which may have died since it forked this process.
    """
    _signal_at_parents_death(signal.SIGKILL, worker_pid)


def _signal_at_parents_death(number: signal.Signals, parent: int) -> None:
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0) != 0:
        return
    if os.getppid() != parent:  # it died before we asked
        os.kill(os.getpid(), number)
