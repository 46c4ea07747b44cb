"""Checks of the schedule: is beat at work, is one of them, does it send what is due, can what it sends run."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from celery_nexus.diagnosis.kind import Kind
from celery_nexus.rows.diagnosis.findings import Finding
from celery_nexus.rows.schedule import Beat, Schedule, ScheduleEntry
from celery_nexus.rows.text import command_line, duration

SHOWN = 20
"""Most entries of one kind that are told apart; of the others the number is told."""

BEAT_GONE = Kind(
    "beat gone",
    "beat",
    "broken",
    "Nothing shows that a beat is at work, and there are entries to be sent.",
    "Nothing of the schedule runs until a beat is started.",
    "Start beat.",
)
ABANDONED = Kind(
    "abandoned schedule",
    "beat",
    "warning",
    "A schedule is still kept, and no beat has sent any of its entries for more than a day.",
    "Nothing of it runs; where the application took another scheduler, what is left misleads whoever reads it.",
    "Start the beat that reads it; where it is no longer meant, delete what is left of it.",
)
BEAT_LATE = Kind(
    "beat late",
    "beat",
    "broken",
    "Entries are overdue by more than beat takes to look at them.",
    "What is overdue does not run; beat makes up for a single run of each entry.",
    "Start beat anew, and read its log.",
)
TWO_BEATS = Kind(
    "two beats",
    "beat",
    "warning",
    "Each of the latest due times of an entry was sent twice.",
    "Everything in the schedule runs twice.",
    "Stop one of the beats, or let RedBeat's lock keep the second one waiting.",
)
MISSED_RUNS = Kind(
    "missed runs",
    "entry",
    "warning",
    "Due times passed without a run.",
    "What they were to do was not done; beat never makes up for more than one.",
    "Publish the missed runs.",
)
UNKNOWN_TASK = Kind(
    "unknown task",
    "entry",
    "broken",
    "An entry names a task that neither the application nor a worker has.",
    "Workers throw away each of its runs.",
    "Correct the task's name, or import its module.",
)
BROKEN_ENTRY = Kind(
    "broken entry",
    "entry",
    "broken",
    "Beat can't send an entry: its definition can't be read, or its schedule can't be used.",
    "It is never sent; with Celery's own scheduler beat may end, and send nothing at all.",
    "Correct the entry.",
)
UNREAD_SCHEDULE = Kind(
    "unread schedule",
    "beat",
    "warning",
    "Where the schedule is kept can't be read.",
    "Nobody knows here what is due, or whether beat sends it.",
    "Make it readable.",
)

ABANDONED_S = 86_400.0
"""Seconds by which every entry of a schedule without a beat is overdue from which on it counts as abandoned."""

KINDS = (BEAT_GONE, ABANDONED, BEAT_LATE, TWO_BEATS, MISSED_RUNS, UNKNOWN_TASK, BROKEN_ENTRY, UNREAD_SCHEDULE)
"""In the order in which they are told."""


def check_schedule(
    schedule: Schedule, registered: Collection[str] = (), start_beat: str = "celery -A APPLICATION beat"
) -> list[Finding]:
    """Judge a schedule; without entries there is nothing to say.

    Args:
        schedule: Its entries, as :meth:`.ScheduleSource.read` answers.
        registered: Tasks that answering workers have; empty where none told.
        start_beat: The command that starts beat.
    """
    abandoned = _find_abandoned(schedule)
    kept = replace(
        schedule,
        entries=tuple(entry for entry in schedule.entries if entry.source not in abandoned),
        beats=tuple(beat for beat in schedule.beats if beat.source not in abandoned),
    )
    found = [
        *(_describe_abandoned(beat, rows) for beat, rows in abandoned.values()),
        *_beats(kept, start_beat),
        *_limited(list(_of_entries(kept.entries, registered))),
        *(UNREAD_SCHEDULE.make("schedule", problem) for problem in schedule.problems),
    ]
    if not found and schedule.entries:
        facts = "; ".join(beat.fact for beat in schedule.beats)
        found.append(BEAT_LATE.make_well("beat", f"{schedule.total:,} entries, none overdue{facts and f'; {facts}'}"))
    return found


def _find_abandoned(schedule: Schedule) -> dict[str, tuple[Beat, list[ScheduleEntry]]]:
    """Find sources without a beat, each entry of which has been overdue for long; with the entries that wait."""
    found: dict[str, tuple[Beat, list[ScheduleEntry]]] = {}
    for beat in schedule.beats:
        enabled = [row for row in schedule.entries if row.source == beat.source and row.is_enabled]
        waiting = [row for row in enabled if row.next_at is not None]
        if beat.is_alive is False and waiting and all((row.late_s or 0.0) > ABANDONED_S for row in waiting):
            found[beat.source] = beat, waiting
    return found


def _describe_abandoned(beat: Beat, entries: Sequence[ScheduleEntry]) -> Finding:
    least_s = min(entry.late_s or 0.0 for entry in entries)
    count = f"{len(entries):,} entries wait" if len(entries) > 1 else f"{entries[0].name} waits"
    proof = f"{beat.fact}; {count} in {beat.source}'s schedule, and nothing was sent for {duration(least_s)} at least"
    return ABANDONED.make(beat.source, proof, "nexus-tui schedule")


def _beats(schedule: Schedule, start_beat: str) -> Iterator[Finding]:
    enabled = [entry for entry in schedule.entries if entry.is_enabled]
    for beat in schedule.beats:
        if beat.is_alive is False and any(entry.source == beat.source for entry in enabled):
            yield BEAT_GONE.make("beat", beat.fact, start_beat)
    late = sorted((entry for entry in enabled if entry.late_s is not None), key=lambda entry: -(entry.late_s or 0))
    if late:
        others = f", and {len(late) - 1:,} more" if len(late) > 1 else ""
        yield BEAT_LATE.make("beat", f"{late[0].name} is overdue by {duration(late[0].late_s)}{others}", start_beat)
    twice = [entry.name for entry in schedule.entries if entry.is_doubled]
    if twice:
        yield TWO_BEATS.make("beat", f"each due time of {', '.join(twice[:3])} was sent twice")


def _of_entries(entries: Sequence[ScheduleEntry], registered: Collection[str]) -> Iterator[Finding]:
    for entry in entries:
        show = command_line("schedule", "show", entry.name)
        if _is_unknown(entry, registered):
            yield UNKNOWN_TASK.make(entry.name, f"it sends {entry.task}", show)
        elif entry.problem and entry.is_known is not False:
            yield BROKEN_ENTRY.make(entry.name, entry.problem, show)
        missed = entry.missed
        if missed is not None and missed.count and missed.since is not None:
            since = missed.since.isoformat(timespec="seconds")
            words = ("schedule", "backfill", entry.name, "--from", since, "--missed", "--dry-run")
            yield MISSED_RUNS.make(entry.name, f"{missed.count:,} due times since {since}", command_line(*words))


def _is_unknown(entry: ScheduleEntry, registered: Collection[str]) -> bool:
    """Tell whether nobody who told has its task."""
    if not entry.task or entry.is_known or entry.task in registered:
        return False
    return entry.is_known is False or bool(registered)


def _limited(findings: Sequence[Finding]) -> Iterator[Finding]:
    for kind in KINDS:
        mine = [finding for finding in findings if finding.kind == kind.name]
        yield from mine[:SHOWN]
        if len(mine) > SHOWN:
            yield kind.make(f"{len(mine) - SHOWN:,} more entries", f"as {mine[0].subject}", "nexus-tui schedule")
