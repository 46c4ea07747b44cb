"""Sources and feeds of a recording: what the views were shown then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NoReturn, TypeVar, cast

from celery_nexus.errors import NotFound, Refused, SourceError
from celery_nexus.rows.audit import AuditEntry
from celery_nexus.rows.broker import Message, QueueStats
from celery_nexus.rows.history import Recent
from celery_nexus.rows.logs import LogLine
from celery_nexus.rows.snapshot import Reading, Snapshot
from celery_nexus.rows.workers import Program, Worker
from celery_nexus.sources import Sources
from nexus_tui.feeds import FAILURES, LATEST, NOTHING_RECENT, RUNNING, UNKNOWN_PLACE
from nexus_tui.recording.parts import Damaged, Silence, Totals, age_since
from nexus_tui.recording.playback import Playback
from nexus_tui.recording.replayed_history import ReplayedHistory
from nexus_tui.recording.replayed_logs import ReplayedLogs
from nexus_tui.screens.frame.host import Troubles

T = TypeVar("T")

UNCHANGEABLE = "this is a recording: nothing in it can be changed"
MOST_LOOKED_BACK = 500
"""Groups of log lines that are looked through for the last ones of a program."""


class _Silent:
    """A source of which a recording tells nothing: whatever is asked of it, it says so."""

    def __getattr__(self, name: str) -> Callable[..., NoReturn]:
        def say(*args: Any, **options: Any) -> NoReturn:
            raise SourceError("the recording tells nothing of this")

        return say


class _Audit(_Silent):
    def __init__(self, playback: Playback) -> None:
        self._playback = playback

    def read(self, limit: int) -> tuple[AuditEntry, ...]:
        return (read_part(self._playback, "audit") or ())[:limit]

    def record(self, *args: Any, **options: Any) -> NoReturn:
        raise Refused(UNCHANGEABLE)


class _Broker(_Silent):
    def __init__(self, playback: Playback) -> None:
        self._playback = playback
        self.audit = _Audit(playback)

    def describe(self) -> str:
        return read_part(self._playback, "place") or UNKNOWN_PLACE

    def queues(self, consumers: Any = None) -> tuple[QueueStats, ...]:
        return read_queues(self._playback) or ()

    def messages(self, queue: str, limit: int = 50, offset: int = 0) -> list[Message]:
        queues: Mapping[str, Sequence[Message]] = read_part(self._playback, "messages") or {}
        waiting = queues.get(queue, ())
        return [replace(row, age_s=age_since(row.age_s)) for row in waiting[offset : offset + limit]]

    def count_by_task(self, queue: str) -> dict[str, int]:
        return dict(Counter(message.task for message in self.messages(queue)).most_common())

    def find(self, run_id: str, **_where: Any) -> Message | None:
        queues: dict[str, Any] = read_part(self._playback, "messages") or {}
        return next((row for name in queues for row in self.messages(name) if row.id == run_id), None)


class _Supervisor(_Silent):
    def __init__(self, playback: Playback) -> None:
        self._playback = playback
        self.is_used = True

    def log_tail(self, name: str, lines: int = 20) -> str:
        found = [line.text for line in read_log(self._playback, lines) if line.program == name]
        if not found:
            raise NotFound("the recording has no lines of this program yet")
        return "\n".join(found)


class ReplayedFeeds:
    """What the feeds of the dashboard knew at the moment that is replayed.

    Args:
        playback: Which moment.
        history: The runs at that moment.
    """

    def __init__(self, playback: Playback, history: ReplayedHistory) -> None:
        self._playback = playback
        self._history = history
        self._logs = ReplayedLogs(playback)
        self._recent: tuple[tuple[int, int], Recent] = ((-1, -1), NOTHING_RECENT)

    def start(self) -> None:
        """Nothing is read meanwhile."""

    def stop(self) -> None:
        """Remove what was written for the replay."""
        self._logs.close()

    def read_now(self) -> None:
        """Nothing is read meanwhile."""

    @property
    def place(self) -> str:
        """What the broker was, in words."""
        return _try(self._playback, "place") or UNKNOWN_PLACE

    @property
    def snapshot(self) -> Snapshot:
        """What every source had said."""
        self._logs.follow()
        programs = self._read(lambda playback: read_programs(playback, self._logs))
        return Snapshot(self._read(read_queues), self._read(read_workers), programs)

    @property
    def recent(self) -> Recent:
        """The newest part of the history."""
        key = (self._history.version(), self._playback.reel.count("totals", self._playback.at_s))
        if key != self._recent[0]:
            self._recent = (key, self._read_recent(key[0]))
        return self._recent[1]

    @property
    def troubles(self) -> Troubles:
        """What was wrong with the data then."""
        silence = _try(self._playback, "silence") or Silence()
        return Troubles(silence.broker, silence.workers, silence.programs, silence.history)

    def _read(self, read: Callable[[Playback], T | None]) -> Reading[T]:
        try:
            return Reading(read(self._playback), self._playback.now)
        except SourceError as damage:
            return Reading(None, None, str(damage))

    def _read_recent(self, version: int) -> Recent:
        totals, history = _try(self._playback, "totals") or Totals(), self._history
        return Recent(
            version=version,
            latest=tuple(history.runs("", LATEST)),
            running=tuple(history.runs("state:started", RUNNING)),
            failures=tuple(history.runs("state:failure", FAILURES)),
            running_total=totals.running,
            failures_total=totals.failures,
            hour=totals.hour,
        )


def open_replay(playback: Playback) -> tuple[Sources, ReplayedFeeds]:
    """Make sources and feeds that tell of the moment at which a replay is."""
    history = ReplayedHistory(playback)
    sources = Sources(
        broker=cast(Any, _Broker(playback)),
        control=cast(Any, _Silent()),
        history=cast(Any, history),
        supervisor=cast(Any, _Supervisor(playback)),
        catalog=cast(Any, _Silent()),
        read_only=True,
        how_to_write=UNCHANGEABLE,
        why_read_only="a recording",
    )
    return sources, ReplayedFeeds(playback, history)


def read_part(playback: Playback, part: str) -> Any:
    """Return what a part was; None before it was told.

    Raises:
        SourceError: The recording is damaged there.
    """
    try:
        return playback.reel.last(part, playback.at_s)
    except Damaged as damage:
        raise SourceError(f"the recording is damaged here: {damage}") from None


def read_workers(playback: Playback) -> tuple[Worker, ...] | None:
    """Return the workers; raises as :func:`read_part`."""
    return read_part(playback, "workers")


def read_programs(playback: Playback, logs: ReplayedLogs) -> tuple[Program, ...] | None:
    """Return the programs, with the logs of the replay: those on this machine are others; as :func:`read_part`."""
    rows: tuple[Program, ...] | None = read_part(playback, "programs")
    return None if rows is None else tuple(replace(row, log=logs.path_of(row.name)) for row in rows)


def read_queues(playback: Playback) -> tuple[QueueStats, ...] | None:
    """Return the queues, each with the age that its oldest message had; raises as :func:`read_part`."""
    rows: tuple[QueueStats, ...] | None = read_part(playback, "queues")
    return None if rows is None else tuple(replace(row, oldest_age_s=age_since(row.oldest_age_s)) for row in rows)


def read_log(playback: Playback, count: int) -> list[LogLine]:
    """Return the last lines that programs had written."""
    reel = playback.reel
    end = reel.count("log", playback.at_s)
    found: list[LogLine] = []
    for index in range(end - 1, max(end - MOST_LOOKED_BACK, 0) - 1, -1):
        for lines in reel.read_between("log", index, index + 1):
            found[:0] = lines
        if len(found) >= count:
            break
    return found[-count:]


def _try(playback: Playback, part: str) -> Any:
    try:
        return read_part(playback, part)
    except SourceError:
        return None
