"""Actions on entries of the schedule: run now, pause, resume, skip once, backfill."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from celery_nexus.actions.base import Action, Plan
from celery_nexus.actions.declaration import Argument, Key, Option, Section
from celery_nexus.actions.typed import read_time
from celery_nexus.errors import Invalid, NotFound, SourceError
from celery_nexus.rows.outcomes import Outcome, TargetOutcome
from celery_nexus.sources import Sources

if TYPE_CHECKING:
    from celery_nexus.schedule.missed import DueTime

_ENTRIES = Argument("entries", "ENTRY…", "An entry's name, as nexus-tui schedule lists it.", is_many=True)

_GATE_KEY = Key("P", "entry_gate", "pause or resume", in_footer=True)
"""Key that pauses an entry, and resumes a paused one."""


@dataclass(frozen=True)
class _EntryAction(Action):
    section: ClassVar[Section] = Section.SCHEDULE
    parameters: ClassVar[tuple[Argument | Option, ...]] = (_ENTRIES,)
    consequence: ClassVar[str]

    entries: tuple[str, ...]

    @property
    def question(self) -> str:
        """Name the entries and the consequence."""
        return f"{self.label}: {', '.join(self.entries)}? {self.consequence}"

    def plan(self, sources: Sources) -> Plan:
        """Find the entries, and make sure that each can be changed."""
        rows = tuple(TargetOutcome(name, True, f"→ {self.promise(sources, name)}") for name in self.entries)
        return Plan(self, lambda: rows, len(rows))

    def run(self, sources: Sources) -> Outcome:
        """Change entry by entry."""
        if len(self.entries) == 1:
            return Outcome((TargetOutcome(self.entries[0], True, self.change(sources, self.entries[0])),))
        return Outcome(tuple(self._outcome(sources, name) for name in self.entries))

    def _outcome(self, sources: Sources, name: str) -> TargetOutcome:
        try:
            return TargetOutcome(name, True, self.change(sources, name))
        except SourceError as error:
            return TargetOutcome(name, False, str(error), is_missing=isinstance(error, NotFound))

    @abstractmethod
    def promise(self, sources: Sources, name: str) -> str:
        """Say what would be done to an entry, and raise what stands in the way."""

    @abstractmethod
    def change(self, sources: Sources, name: str) -> str:
        """Change it, and say what was done."""


@dataclass(frozen=True)
class RunEntry(_EntryAction):
    """Run an entry of the schedule now, with its arguments and options; its times go on as they were."""

    label: ClassVar[str] = "Run entry now"
    command_name: ClassVar[str] = "schedule run"
    key: ClassVar[Key | None] = Key("R", "run_entry", "run now", in_footer=True)
    consequence: ClassVar[str] = "A run is published now, its times go on as they were."

    def promise(self, sources: Sources, name: str) -> str:
        """Name its task."""
        sources.schedule.publisher(name)
        return f"a run of {sources.schedule.find(name).entry.task}"

    def change(self, sources: Sources, name: str) -> str:
        """Publish it."""
        run = sources.schedule.publisher(name)(None)
        return f"queued in {run.place} as {run.id}"


@dataclass(frozen=True)
class PauseEntry(_EntryAction):
    """Pause an entry of the schedule: beat sends nothing for it until it is resumed."""

    label: ClassVar[str] = "Pause entry"
    command_name: ClassVar[str] = "schedule pause"
    key: ClassVar[Key | None] = _GATE_KEY
    consequence: ClassVar[str] = "Beat sends nothing for it until it is resumed; due times pass without a run."
    is_enabled: ClassVar[bool] = False
    promised: ClassVar[str] = "paused"

    def promise(self, sources: Sources, name: str) -> str:
        """Make sure that where it is kept takes the change."""
        sources.schedule.check_change(name, "resumed" if self.is_enabled else "paused")
        return self.promised

    def change(self, sources: Sources, name: str) -> str:
        """Change it."""
        return sources.schedule.set_enabled(name, is_enabled=self.is_enabled)


@dataclass(frozen=True)
class ResumeEntry(PauseEntry):
    """Resume a paused entry of the schedule. It counts from now: what was due meanwhile is not made up for."""

    label: ClassVar[str] = "Resume entry"
    command_name: ClassVar[str] = "schedule resume"
    key: ClassVar[Key | None] = _GATE_KEY
    consequence: ClassVar[str] = "It counts from now: what was due meanwhile is not made up for (schedule backfill is)."
    is_enabled: ClassVar[bool] = True
    promised: ClassVar[str] = "resumed, counts from now"


@dataclass(frozen=True)
class SkipEntry(_EntryAction):
    """Skip the next due time of an entry of the schedule, once."""

    label: ClassVar[str] = "Skip next run"
    command_name: ClassVar[str] = "schedule skip"
    key: ClassVar[Key | None] = Key("S", "skip_entry", "skip the next", in_footer=True)
    consequence: ClassVar[str] = "Its next due time passes without a run, the one after it does not."

    def promise(self, sources: Sources, name: str) -> str:
        """Name the due time."""
        sources.schedule.check_change(name, "skipped")
        return f"{_moment(sources.schedule.next_time(name))} is skipped"

    def change(self, sources: Sources, name: str) -> str:
        """Skip it."""
        return f"skipped {_moment(sources.schedule.skip(name))}"


@dataclass(frozen=True)
class BackfillEntry(Action):
    """Publish the runs of an entry that were due in a window of the past, each with its due time.

    Each run has its due time in the header ``nexus_due_at`` (``self.request.headers`` in the task), goes where beat
    sends it, and does not expire. What was sent then is sent again, unless ``--missed`` is given.

    Attributes:
        due: The due times that :meth:`plan` found.
    """

    label: ClassVar[str] = "Backfill entry"
    command_name: ClassVar[str] = "schedule backfill"
    key: ClassVar[Key | None] = Key("M", "missed", "run what was missed", in_footer=True)
    section: ClassVar[Section] = Section.SCHEDULE
    parameters: ClassVar[tuple[Argument | Option, ...]] = (
        Argument("entry", "ENTRY", "An entry's name, as nexus-tui schedule lists it."),
        Option("--from", "since", "Begin of the window, ISO 8601 (local time without a zone).", "T"),
        Option("--to", "until", "End of the window; now when left out.", "T"),
        Option("--missed", "only_missed", "Only the due times for which the history knows no run."),
    )

    entry: str
    since: datetime
    until: datetime | None = None
    only_missed: bool = False
    due: tuple[DueTime, ...] | None = field(default=None, kw_only=True, compare=False, repr=False)

    @classmethod
    def from_command(cls, given: Mapping[str, Any]) -> Action:
        """Read the window."""
        if given["since"] is None:
            raise Invalid("--from says where the window begins: give it, like --from 2030-01-31T09:00")
        since, until = read_time(given["since"]).astimezone(UTC), given["until"]
        return cls(given["entry"], since, until and read_time(until).astimezone(UTC), given["only_missed"])

    @property
    def question(self) -> str:
        """Count the runs and name the window."""
        count = "the due runs" if self.due is None else f"{len(self.due):,} due runs"
        until = "now" if self.until is None else _moment(self.until)
        return f"Publish {count} of {self.entry} from {_moment(self.since)} to {until}? They run as workers take them."

    def plan(self, sources: Sources) -> Plan:
        """Find the due times, and say which of them were sent."""
        sources.schedule.publisher(self.entry)
        due = self._find(sources)
        rows = tuple(TargetOutcome(_moment(row.at), True, _promise(row)) for row in due)
        return Plan(replace(self, due=due), lambda: rows, len(rows))

    def run(self, sources: Sources) -> Outcome:
        """Publish run by run, oldest first; after a failure the rest is told as not done."""
        publish, due = sources.schedule.publisher(self.entry), self._find(sources)
        steps, rows = sources.steps, list[TargetOutcome]()
        steps.begin(len(due))
        for row in due:
            if steps.is_stopped:
                rows += _tell_not_done(due[len(rows) :], steps.why)
                break
            try:
                run = publish(row.at)
            except SourceError as error:
                if not rows:
                    raise
                rows += _tell_not_done(due[len(rows) :], str(error))
                break
            rows.append(TargetOutcome(_moment(row.at), True, f"queued in {run.place} as {run.id}"))
            steps.add(rows[-1])
        return Outcome(tuple(rows) or (TargetOutcome(self.entry, True, "nothing was due: nothing was queued"),))

    def _find(self, sources: Sources) -> tuple[DueTime, ...]:
        if self.due is not None:
            return self.due
        now = datetime.now(UTC)
        until = self.until or now
        if not self.since < until <= now:
            raise Invalid(f"the window from {_moment(self.since)} to {_moment(until)} is not one of the past")
        due = sources.schedule.backfill(self.entry, self.since, until)
        if not self.only_missed:
            return tuple(due)
        if due and not due[0].is_recorded:
            raise Invalid(
                f"--missed: nothing is recorded of {_moment(due[0].at)}, so what was missed then is not known"
            )
        return tuple(row for row in due if row.sent_at is None)


def _tell_not_done(due: Sequence[DueTime], why: str) -> list[TargetOutcome]:
    return [TargetOutcome(_moment(row.at), False, f"not done: {why}") for row in due]


def _promise(row: DueTime) -> str:
    if row.sent_at is not None:
        return f"→ a run, again: one was sent at {_moment(row.sent_at)}"
    return "→ a run" if row.is_recorded else "→ a run; whether one was sent then is not recorded"


def _moment(at: datetime) -> str:
    return at.astimezone().isoformat(timespec="seconds")
