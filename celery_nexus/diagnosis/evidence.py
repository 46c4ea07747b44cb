"""Evidence of an examination: what is known of an application, read once, judged by pure functions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from celery_nexus.broker.read.in_flight import VISIBILITY_S
from celery_nexus.control.answers import to_object
from celery_nexus.diagnosis.verdicts.look import Look, Looks
from celery_nexus.diagnosis.verdicts.queues import Head
from celery_nexus.rows.broker import Held, UnreadList
from celery_nexus.rows.diagnosis.census import KeyCensus
from celery_nexus.rows.diagnosis.findings import Finding
from celery_nexus.rows.history import Gap


@dataclass(frozen=True, slots=True)
class Past:
    """What the history knows.

    Attributes:
        longest_run_s: Of the longest run of the last week; None when none is known.
        longest_task: Its task.
        gaps: Parts of the event stream that were never recorded.
        silent_workers: Workers that do work and send no events of it.
        recorded_workers: Names of workers of which runs were recorded within a day.
    """

    longest_run_s: float | None = None
    longest_task: str = ""
    gaps: tuple[Gap, ...] = ()
    silent_workers: tuple[str, ...] = ()
    recorded_workers: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Evidence:
    """What was read. What could not be read is None or empty, and ``refused`` says why.

    Attributes:
        broker: The broker's address, without its password.
        looks: Workers and queues, twice.
        info: The server's INFO; empty when its user may not ask.
        config: The server's CONFIG GET of what matters here; empty when its user may not ask.
        user: Name of the server's user who asks.
        refused: Commands that the server's user may not use.
        skew_s: How far the broker's clock is ahead of ours; None when it may not be asked.
        longest_idle_s: For how long the connection with the longest silence has been silent, and open.
        clocks: How far workers' clocks are ahead of the broker's.
        settings: Settings of the applications that differ from Celery's defaults, by prefix.
        versions: Versions of celery, kombu, redis … of workers that told.
        registered: Tasks of workers that told.
        heads: Next messages of queues that wait.
        census: Keys of the database; None when they may not be looked at.
        held: What workers hold, with when it comes back.
        leftovers: What is held by nobody who answers: of workers that are gone.
        unread_lists: Lists of messages that no worker reads.
        dead_letters: Messages that were set aside.
        revoked: Revoked ids that workers keep in memory, by worker.
        past: What the history knows; None where there is none.
        declared: Names of the queues that were declared.
        programs: Supervisor's program for the worker of each of them.
        uses_priorities: Whether messages with different priorities are seen, or settings speak of them.
        is_foreign: Whether the application is somebody else's.
        of_the_stack: Findings about a stack of ours: programs, disk, files, recorder, guardian.
        schedule: Findings about the schedule.
    """

    broker: str = ""
    looks: Looks = field(default_factory=lambda: Looks(Look(0.0)))
    info: Mapping[str, Any] = field(default_factory=dict[str, Any])
    config: Mapping[str, str] = field(default_factory=dict[str, str])
    user: str = "default"
    refused: tuple[str, ...] = ()
    skew_s: float | None = None
    longest_idle_s: int | None = None
    clocks: Mapping[str, float] = field(default_factory=dict[str, float])
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    versions: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])
    registered: Mapping[str, Collection[str]] = field(default_factory=dict[str, Collection[str]])
    heads: Mapping[str, Head] = field(default_factory=dict[str, Head])
    census: KeyCensus | None = None
    held: tuple[Held, ...] = ()
    leftovers: tuple[Held, ...] = ()
    unread_lists: tuple[UnreadList, ...] = ()
    dead_letters: int = 0
    revoked: Mapping[str, int] = field(default_factory=dict[str, int])
    past: Past | None = None
    declared: tuple[str, ...] = ()
    programs: Mapping[str, str] = field(default_factory=dict[str, str])
    uses_priorities: bool = False
    is_foreign: bool = True
    of_the_stack: tuple[Finding, ...] = ()
    schedule: tuple[Finding, ...] = ()

    def number(self, name: str) -> float | None:
        """Read a number of the server's INFO; None when it does not tell."""
        value = self.info.get(name)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

    @property
    def visibility_s(self) -> float:
        """Seconds after which stock delivery gives back what was taken: the shortest of the applications."""
        told = [to_object(row.get("broker_transport_options")) for row in self.settings.values()]
        values = [options.get("visibility_timeout", VISIBILITY_S) for options in told]
        return min((float(value) for value in values if isinstance(value, int | float)), default=VISIBILITY_S)

    @property
    def acknowledges_late(self) -> bool:
        """Whether an application acknowledges a run when it has ended, by its settings."""
        return any(bool(row.get("task_acks_late")) for row in self.settings.values())
