"""Commands that a finding about a worker or queue names."""

from __future__ import annotations

import shlex

from celery_nexus.rows.text import command_line
from celery_nexus.rows.workers import Worker


def restart_command(worker: Worker) -> str:
    """Write the command that starts a worker anew.

    What starts a worker that Supervisor does not know is not known here: it is asked to shut down, so that whatever
    keeps it starts it again; one that may not hear is ended by its process.
    """
    if worker.program is not None:
        return command_line("start" if worker.verdict == "stopped" else "restart", worker.program)
    if worker.verdict == "silent" or worker.concurrency is None:
        return f"kill {worker.pid}" if worker.pid else ""
    return command_line("shutdown", worker.name)


def grow_command(worker: Worker) -> str:
    """Write the command that gives a worker one place more; a solo pool has one for ever."""
    return "" if worker.pool == "solo" else command_line("grow", worker.name, 1)


def start_command(queue: str) -> str:
    """Write the command that starts a worker for a queue."""
    return f"celery -A APPLICATION worker -Q {shlex.quote(queue)}"
