"""Notices at once that a child process died.

Celery 5.7 looks once when the kernel announces a child's end, which it does a moment before the child can be
collected: on a busy machine that look comes too early, and the next one is due after 5 s. Until then the child's run
is nobody's.
"""

# Celery's pools have no complete stubs: what their methods return is unknown.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
from __future__ import annotations

from typing import Any

LOOK_AGAIN_S = 0.02
LOOKS = 100


def has_processes(pool: Any) -> bool:
    """Tell whether a ``TaskPool`` has child processes that the event loop serves."""
    return getattr(getattr(pool, "_pool", None), "_event_process_exit", None) is not None


def watch(pool: Any) -> None:
    """Look again for a child whose end was announced; does nothing for pools without child processes.

    Args:
        pool: The worker's ``TaskPool``.
    """
    processes = getattr(pool, "_pool", None)
    announced = getattr(processes, "_event_process_exit", None)
    if processes is None or announced is None:
        return

    def look(hub: Any, process: Any, left: int) -> None:
        if process in processes._pool and left:
            processes.maintain_pool()
            hub.call_later(LOOK_AGAIN_S, look, hub, process, left - 1)

    def on_exit(hub: Any, process: Any) -> None:
        announced(hub, process)
        if process in processes._pool:
            hub.call_later(LOOK_AGAIN_S, look, hub, process, LOOKS)

    processes._event_process_exit = on_exit
