"""Details of an entry of the schedule: when, with what, its latest runs, and those that are missing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from celery_nexus.rows.schedule import Beat, EntryRun, MissedRuns, ScheduleEntry
from celery_nexus.rows.text import UNKNOWN, age, clock, number, safe_text
from nexus_tui.screens.panes.details import describe_arguments, tell_fact
from nexus_tui.screens.tables.cells import RUN_LOOKS, text, text_or_unknown
from nexus_tui.widgets.lines import Line

MOST_MISSED = 10
"""Missed due times that are listed, the latest."""


def describe_entry(entry: ScheduleEntry, now: datetime) -> list[Line]:
    """Say when it is sent, with what, what became of it, and what is wrong with it."""
    return [
        *_troubles(entry),
        tell_fact("when", text(entry.spec)),
        tell_fact("next", ((_next(entry, now), "plain"),)),
        tell_fact("last", ((_last(entry, now), "plain"),)),
        *(tell_fact("" if place else "runs", _run(run, now)) for place, run in enumerate(entry.outcomes)),
        *_missed(entry.missed, now),
        tell_fact("task", text_or_unknown(entry.task or None, "strong")),
        *describe_arguments(entry.args, entry.kwargs),
        tell_fact("queue", text_or_unknown(entry.queue)),
        tell_fact("kept in", text(entry.source, "dim")),
        *_limits(entry, now),
    ]


def describe_beats(beats: tuple[Beat, ...]) -> Line:
    """Say whether beat is at work, in one line."""
    if not beats:
        return ((" beat ", "dim"), ("? nothing tells whether one is at work", "dim"))
    spans: list[tuple[str, str]] = [(" beat", "dim")]
    for beat in beats:
        sign, look = {True: ("●", "good"), False: ("✗", "bad"), None: ("?", "warn")}[beat.is_alive]
        spans += [(f"  {sign} ", look), (safe_text(f"{beat.source}: {beat.fact}"), "plain" if beat.is_alive else look)]
    return tuple(spans)


def _troubles(entry: ScheduleEntry) -> Iterator[Line]:
    if entry.problem:
        yield tell_fact("problem", text(entry.problem, "bad"))
    if entry.late_s is not None:
        yield tell_fact("late", ((f"by {age(entry.late_s)}: beat has not sent it", "bad"),))
    if entry.is_doubled:
        yield tell_fact("doubled", (("its latest due times were sent twice each: two beats are at work", "bad"),))


def _next(entry: ScheduleEntry, now: datetime) -> str:
    return entry.next_words(now) + (f", {clock(entry.next_at, now)}" if entry.next_at else "")


def _last(entry: ScheduleEntry, now: datetime) -> str:
    if entry.last_at is None:
        return UNKNOWN
    count = "" if entry.runs is None else f", {number(entry.runs)} times in all"
    return f"{age((now - entry.last_at).total_seconds())} ago, {clock(entry.last_at, now)}{count}"


def _run(run: EntryRun, now: datetime) -> Line:
    sign, look = RUN_LOOKS.get(run.state, ("·", "dim"))
    return (
        (f"{sign} {safe_text(run.state, 10):<10}", look),
        (f"{clock(run.at, now)}  ", "plain"),
        (safe_text(run.id), "dim"),
    )


def _missed(missed: MissedRuns | None, now: datetime) -> Iterator[Line]:
    if missed is None or missed.unknown:
        yield tell_fact("missed", ((f"not known: {safe_text(missed.unknown if missed else 'not read')}", "dim"),))
        return
    since = "" if missed.since is None else f" since {clock(missed.since, now)}"
    many = (f"{number(missed.count)}{since}", "warn" if missed.count else "dim")
    yield tell_fact("missed", (many, *((("  M runs them", "dim"),) if missed.count else ())))
    for due in reversed(missed.due_at[-MOST_MISSED:]):
        yield tell_fact("", ((clock(due, now), "warn"),))


def _limits(entry: ScheduleEntry, now: datetime) -> Iterator[Line]:
    if entry.expires:
        yield tell_fact("expires", text(entry.expires))
    if entry.is_one_off:
        yield tell_fact("once", (("it is sent a single time", "plain"),))
    if entry.ends_at:
        yield tell_fact("until", ((clock(entry.ends_at, now), "plain"),))
