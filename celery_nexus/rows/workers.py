"""Rows of workers, as Celery knows them, and of programs, as Supervisor knows them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

GONE = frozenset({"silent", "stopped", "crash-looping", "starting", "deaf", "unknown"})
"""Verdicts of workers that take nothing."""


ALIVE = frozenset({"healthy", "busy", "full"})
"""Verdicts of workers that take work, or would if they had a place."""

CALM = ALIVE | {"draining", "paused", "starting", "stopped"}
"""Verdicts that are no trouble: what an operator did, or what passes."""


@dataclass(frozen=True, slots=True)
class Child:
    """One process of a worker's pool and what it runs."""

    pid: int
    cpu_percent: float | None = None
    rss_bytes: int | None = None
    run_id: str | None = None
    task: str | None = None
    ran_s: float | None = None


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker node joined with its Supervisor program.

    Attributes:
        name: Node name, ``email@host``; for a program without a node, the name that it would have.
        verdict: ``healthy``, ``busy``, ``full``, ``draining``, ``paused``, ``starting``, ``stopped``, ``silent``,
            ``crash-looping``, or the kind of the worst finding about it: ``deaf``, ``hoarding``, ``twin`` …
        reason: The fact that proves the verdict.
        queues: What it consumes.
        pool: ``prefork``, ``solo`` …
        concurrency: Size of its pool.
        active: Runs it executes now.
        reserved: Runs it holds and has not started.
        processed: Runs it ended since it started.
        cpu_percent: Of the worker and its children together; None when unknown.
        rss_bytes: Of the worker and its children together.
        heartbeat_at: Last sign of life (aware, UTC).
        program: Its Supervisor program, ``workers:email``, or None for one started by hand.
        uptime_s: Seconds since it started.
        pid: Its main process.
        children: Its pool.
        prefetch: Messages it may hold at once.
        scheduled: Runs it holds until their time has come.
        is_stock: Whether it is Celery's own and knows nothing of Nexus: it forgets orders when it restarts.
        prefetch_multiplier: Messages that it may hold for each place, by its settings; None when they are not known.
        child_memory_limit_bytes: A child that uses more is replaced at its run's end (``worker_max_memory_per_child``).
        host_memory_bytes: Memory of its machine or container; None when it is not this one.
        instances: How many processes answer under its name.
    """

    name: str
    verdict: str
    reason: str = ""
    queues: tuple[str, ...] = ()
    pool: str | None = None
    concurrency: int | None = None
    active: int | None = None
    reserved: int | None = None
    processed: int | None = None
    cpu_percent: float | None = None
    rss_bytes: int | None = None
    heartbeat_at: datetime | None = None
    program: str | None = None
    uptime_s: float | None = None
    pid: int | None = None
    children: tuple[Child, ...] = ()
    prefetch: int | None = None
    scheduled: int | None = None
    is_stock: bool = False
    prefetch_multiplier: float | None = None
    child_memory_limit_bytes: int | None = None
    host_memory_bytes: int | None = None
    instances: int = 1


LOOP_EXITS = 3
"""Exits in ten minutes from which a program is crash-looping, though it runs at the moment."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program as Supervisor knows it.

    Attributes:
        name: ``workers:email``, ``broker``.
        state: Supervisor's word: RUNNING, STARTING, STOPPED, STOPPING, BACKOFF, EXITED, FATAL, UNKNOWN.
        pid: Its process, or None when it does not run.
        uptime_s: Seconds since it started, or None.
        exit_status: How it last ended, or None.
        description: Supervisor's own sentence.
        log: Path of its log file.
        exits: How often it ended by itself in the last ten minutes.
        last_exit: How it ended last, ``exit status 1``; empty when it did not in that time.
    """

    name: str
    state: str
    pid: int | None = None
    uptime_s: float | None = None
    exit_status: int | None = None
    description: str = ""
    log: str = ""
    exits: int = 0
    last_exit: str = ""

    @property
    def is_looping(self) -> bool:
        """Whether it keeps ending and being started, whatever state it is in at this moment."""
        return self.exits >= LOOP_EXITS or self.state in ("BACKOFF", "FATAL")

    @property
    def summary(self) -> str:
        """Its state in words: ``workers:ai is BACKOFF: Exited too quickly``."""
        if self.exits >= LOOP_EXITS:
            return f"{self.name} ended {self.exits} times in the last ten minutes ({self.last_exit})"
        return f"{self.name} is {self.state}" + (f": {self.description}" if self.description else "")
