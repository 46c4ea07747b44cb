"""Deliveries: what each channel is still to be told, in order, with pauses that grow after each failure."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from celery_nexus.alerts.evaluation import Event, Notice
from celery_nexus.rows.alerts import AlertSeverity

FIRST_PAUSE_S = 15.0
LONGEST_PAUSE_S = 900.0

LIVES_S = 86_400.0
"""Time after which a delivery that no channel took is given up."""

MOST_WAITING = 200
"""Deliveries that wait for one channel, at most; the oldest are given up first."""

MOST_SUBJECTS = 50
"""Subjects written out in one delivery; the others are counted."""


@dataclass(frozen=True, slots=True)
class Told:
    """One subject of a delivery: its name, and what was seen."""

    subject: str
    text: str
    since: float


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notice for one channel.

    Attributes:
        id: Stays the same at each try, so that a receiver can tell a second one.
        channel: Name of the channel.
        event: ``raised`` or ``cleared``.
        rule: Name of the rule.
        severity: How bad it is.
        at: When it happened, in seconds since the epoch.
        subjects: What it is about; the first fifty.
        count: How many there are.
        tries: How often the channel was tried.
        next_at: Not to be tried before.
        problem: Why the last try failed.
    """

    id: str
    channel: str
    event: Event
    rule: str
    severity: AlertSeverity
    at: float
    subjects: tuple[Told, ...]
    count: int
    tries: int = 0
    next_at: float = 0.0
    problem: str = ""


def make_deliveries(notice: Notice, now: float) -> list[Delivery]:
    """Make a delivery for each channel of a notice."""
    subjects = tuple(Told(row.subject, row.text, row.since) for row in notice.alerts[:MOST_SUBJECTS])
    made: list[Delivery] = []
    for channel in notice.channels:
        id_ = uuid.uuid4().hex
        count = len(notice.alerts)
        made.append(Delivery(id_, channel, notice.event, notice.rule, notice.severity, now, subjects, count))
    return made


def list_due(waiting: Iterable[Delivery], now: float) -> list[Delivery]:
    """List what may be tried now: of each channel the first, since what was raised is told before it is cleared."""
    first: dict[str, Delivery] = {}
    for delivery in waiting:
        first.setdefault(delivery.channel, delivery)
    return [delivery for delivery in first.values() if delivery.next_at <= now]


def postpone(delivery: Delivery, problem: str, now: float) -> Delivery:
    """Plan the next try of a delivery that failed."""
    pause = min(FIRST_PAUSE_S * 2**delivery.tries, LONGEST_PAUSE_S)
    return replace(delivery, tries=delivery.tries + 1, next_at=now + pause, problem=problem)


def split_given_up(
    waiting: Sequence[Delivery], channels: Iterable[str], now: float
) -> tuple[list[Delivery], list[Delivery]]:
    """Split what waits in what goes on waiting, and what is given up: too old, too many, or for no channel."""
    known = set(channels)
    kept: list[Delivery] = []
    given_up: list[Delivery] = []
    for channel in dict.fromkeys(delivery.channel for delivery in waiting):
        mine = [delivery for delivery in waiting if delivery.channel == channel]
        alive = [row for row in mine if channel in known and now - row.at < LIVES_S][-MOST_WAITING:]
        kept += alive
        given_up += [row for row in mine if row not in alive]
    return kept, given_up
