"""Bookkeeping of the prefork pool beyond Celery's: deaths of children, and the runs they were given.

Celery 5.7 looks once when the kernel announces a child's end, which it does a moment before the child can be
collected: on a busy machine that look comes too early, and the next one is due after 5 s. Until then the child's run
is nobody's.

After a lost connection it empties the pool of what no child has accepted yet, as the broker would deliver that again.
With our delivery the broker does not, while this worker lives: what is dropped has to be put back, and what a child
has got already has to be kept, as it runs all the same.
"""

# Celery's pools have no complete stubs: what their methods return is unknown.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
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


def write_now(pool: Any) -> None:
    """Write what waits to the children that are idle, and not only in the event loop's next round.

    Before that round the worker tells of ended runs, acknowledges and fetches, while a child that has nothing to do
    waits for its next run.

    Args:
        pool: The worker's ``TaskPool``.
    """
    processes = getattr(pool, "_pool", None)
    if processes is None or not getattr(processes, "outbound_buffer", None):
        return
    write = processes.hub_remove.__self__.consolidate_callback
    idle = processes._all_inqueues - processes._busy_workers - processes._active_writes
    if write is not None and idle:
        write(list(idle))


@contextmanager
def keep_written(pool: Any) -> Generator[None]:
    """Keep the runs that were written to a child, while Celery empties the pool.

    Args:
        pool: A ``TaskPool`` with child processes.
    """
    written = [job for job in tuple(pool._pool._cache.values()) if not job._accepted and _is_written(job)]
    for job in written:
        job._accepted = True
    try:
        yield
    finally:
        for job in written:
            job._accepted = job._worker_pid is not None  # as its child said, or will say


def holds(pool: Any, request: Any) -> bool:
    """Tell whether a pool with child processes still has a run that it was given."""
    job = request._apply_result and request._apply_result()
    return job is not None and pool._pool._cache.get(job._job) is job


def _is_written(job: Any) -> bool:
    return job._write_to is not None and job._write_to._is_alive()
