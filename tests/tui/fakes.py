"""Sources that answer with frozen rows: for the dashboard, the sources are the edge."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from celery_nexus.application_code import ApplicationCode
from celery_nexus.broker.edit.edits import Delete, MoveTo
from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.deployment import Deployment
from celery_nexus.errors import Invalid, NotFound, SourceError
from celery_nexus.history.encoding import COUNTERS
from celery_nexus.history.query.families import Family, Member
from celery_nexus.rows.audit import AuditEntry, Kept, Restored, Undoable
from celery_nexus.rows.broker import FoundMessages, Message, QueueStats
from celery_nexus.rows.catalog import Submitted, TaskParameter, TaskType
from celery_nexus.rows.dead_letters import DeadLetter
from celery_nexus.rows.diagnosis.connections import Connections
from celery_nexus.rows.history import Changes, ErrorGroup, QueueWaits, Share, Slice, TaskStats, TrendPoint
from celery_nexus.rows.marks import Mark
from celery_nexus.rows.outcomes import TargetOutcome
from celery_nexus.rows.runs import LifeEvent, Progress, Run, RunPage
from celery_nexus.rows.schedule import Beat, DayAhead, EntryRun, MissedRuns, Schedule, ScheduleEntry
from celery_nexus.rows.workers import Child, Program, Worker
from celery_nexus.rows.workflows import BrokerView, Plan, Step
from celery_nexus.schedule.missed import DueTime
from celery_nexus.sources import Sources
from config.queues import QUEUES, REGISTRY

CODE = ApplicationCode(REGISTRY)
DEPLOYMENT = Deployment(
    BrokerUrl.parse("redis://localhost/0"),
    CODE,
    home=Path("/srv/nexus"),
    history=Path("/srv/nexus/history.db"),
    uploads=Path("/srv/nexus/uploads"),
)

NOW = datetime(2026, 3, 14, 10, 42, 7, tzinfo=UTC)


RAW = b'{"headers": {}, "properties": {"priority": 5}}'
"""What a message without bytes of its own is changed as."""


HOUR = TaskStats("", "", 57, 60, 55, 1, 1, 3, 1 / 56, (3.1, 61.0, 410.0), (0.4, 1.2, 4.0))
"""What became of the last hour's runs."""


def run_id(number: int) -> str:
    """Make a run id."""
    return f"{number:08x}-0000-4000-8000-{number:012x}"


def a_run(number: int, **fields: Any) -> Run:
    """Make a run that ended well, ``number`` minutes ago."""
    sent = NOW - timedelta(minutes=number)
    values: dict[str, Any] = {
        "id": run_id(number),
        "task": "workers.file_tasks.process_pdf",
        "state": "SUCCESS",
        "queue": "file_processing_queue",
        "priority": 5,
        "worker": "files@web1",
        "sent_at": sent,
        "received_at": sent + timedelta(seconds=1),
        "started_at": sent + timedelta(seconds=1.2),
        "finished_at": sent + timedelta(seconds=4.3),
        "waited_s": 1.2,
        "ran_s": 3.1,
        "args": [],
        "kwargs": {"file_path": f"report-{number}.pdf"},
        "result": {"pages": number},
    }
    return Run(**(values | fields))


def a_message(number: int, queue: str, priority: int = 5, **fields: Any) -> Message:
    """Make a waiting message at position ``number``."""
    values: dict[str, Any] = {
        "id": run_id(1000 + number),
        "task": "workers.email_tasks.send_email",
        "queue": queue,
        "priority": priority,
        "position": number,
        "age_s": 90.0 - number,
        "args": [],
        "kwargs": {"to": f"user{number}@example.org"},
    }
    return Message(**(values | fields))


@dataclass
class FakeAudit:
    """Remembers what was recorded."""

    recorded: list[str] = field(default_factory=list)
    entries: tuple[AuditEntry, ...] = ()

    def read(self, limit: int) -> tuple[AuditEntry, ...]:
        return self.entries[:limit]

    def record(self, action: str, command: str, outcome: Any, *, via: str = "") -> None:
        self.recorded.append(command)


@dataclass
class FakeSearch:
    """Looks at all messages in two steps, half of them each time."""

    rows: list[Message]
    word: str
    looked: int = 0

    def advance(self, budget_s: float) -> FoundMessages:
        self.looked = len(self.rows) // 2 if not self.looked else len(self.rows)
        found = tuple(row for row in self.rows[: self.looked] if self.word in row.task)
        return FoundMessages(found, self.looked, len(self.rows), self.looked == len(self.rows))


@dataclass
class FakeBroker:
    """Queues and messages that are told; ``problem`` makes every call fail."""

    rows: tuple[QueueStats, ...] = ()
    waiting: dict[str, list[Message]] = field(default_factory=dict)
    problem: str = ""
    recorder: str = ""
    changed: list[tuple[str, Any]] = field(default_factory=list)
    audit: FakeAudit = field(default_factory=FakeAudit)
    changes: tuple[Undoable, ...] = ()
    url: BrokerUrl = field(default_factory=lambda: BrokerUrl.parse("redis://localhost/0"))

    def view_workflow(self, run_ids: Any, groups: Any) -> BrokerView:
        self._fail()
        return BrokerView({}, True, {})

    def describe(self) -> str:
        self._fail()
        return "valkey 9.1.2 unix socket"

    def recorder_trouble(self, command: str = "") -> str:
        self._fail()
        return self.recorder

    def queues(self, consumers: Any = None) -> tuple[QueueStats, ...]:
        self._fail()
        return self.rows

    def read_connections(self) -> Connections | None:
        self._fail()
        return None

    def read_heads(self, queues: Any, *, first_priority_only: bool = False) -> dict[str, str]:
        return {}

    def messages(self, queue: str, limit: int = 50, offset: int = 0) -> list[Message]:
        self._fail()
        return self.waiting.get(queue, [])[offset : offset + limit]

    def search(self, queue: str, filter_text: str) -> FakeSearch:
        """Begin to look for messages whose task contains ``task:WORD``, one a step."""
        word = filter_text.removeprefix("task:")
        return FakeSearch(list(self.waiting.get(queue, [])), word)

    def count_by_task(self, queue: str) -> dict[str, int]:
        return dict(Counter(message.task for message in self.waiting.get(queue, [])).most_common())

    def find(self, run_id: str, *, queue: str | None = None, priority: int | None = None) -> Message | None:
        return next((m for messages in self.waiting.values() for m in messages if m.id == run_id), None)

    def ids(self, prefix: str, limit: int = 10) -> list[str]:
        return [m.id for messages in self.waiting.values() for m in messages if m.id.startswith(prefix)]

    def is_unacked(self, run_id: str) -> bool:
        return False

    def check_priority(self, priority: int) -> None:
        assert 0 <= priority <= 9

    def check_queue(self, name: str) -> None: ...

    def queue(self, name: str) -> QueueStats:
        return next(row for row in self.rows if row.name == name)

    def purge(self, queue: str, *, undo: str) -> int:
        self.changed.append(("purge", queue))
        return 1204

    def pause(self, queue: str, workers: Any) -> bool:
        self.changed.append(("pause", queue))
        return True

    def list_undoables(self) -> tuple[Undoable, ...]:
        return self.changes

    def measure_kept(self, change: Undoable) -> Kept:
        return Kept(4, 2000)

    def restore(self, change: Undoable) -> Restored:
        self.changed.append(("restore", change.token))
        return Restored(4)

    def is_revoked(self, run_id: str) -> bool:
        return False

    def announce_undo(self, kind: str, label: str, queue: str = "") -> str:
        return "a-token"

    def keep_undo(self, token: str) -> bool:
        return True

    def forget_undo(self, token: str) -> None: ...

    def apply(self, message: Message, edit: Any, *, undo: str = "") -> TargetOutcome:
        if isinstance(edit, Delete):
            return self.delete(message)
        if isinstance(edit, MoveTo):
            self.changed.append(("move", (message.id, edit.queue, edit.front)))
        else:
            self.changed.append(("priority", (message.id, edit.priority, edit.front)))
        return TargetOutcome(message.id, True, edit.plan_change(replace(message, raw=RAW)).done)

    def delete(self, message: Message, *, undo: str = "", ends: str = "deleted") -> TargetOutcome:
        self.changed.append(("delete", message.id))
        for messages in self.waiting.values():
            messages[:] = [other for other in messages if other.id != message.id]
        return TargetOutcome(message.id, True, "deleted")

    def mark_revoked(self, run_ids: Any) -> None:
        self.changed.append(("revoked", tuple(run_ids)))

    def announce_revoked(self, run_ids: Any) -> None:
        pass

    def _fail(self) -> None:
        if self.problem:
            raise SourceError(self.problem)


@dataclass
class FakeControl:
    """Workers that are told."""

    rows: tuple[Worker, ...] = ()
    running: dict[str, tuple[str, str]] = field(default_factory=dict)
    revoked: list[tuple[tuple[str, ...], bool]] = field(default_factory=list)
    ordered: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)

    def workers(self) -> tuple[Worker, ...]:
        return self.rows

    def consumers(self) -> None:
        return None

    def list_dismissed(self, known: Any) -> tuple[str, ...]:
        return ()

    def find_holders(self, run_ids: Any) -> dict[str, tuple[str, str]]:
        return {run_id: place for run_id, place in self.running.items() if run_id in run_ids}

    def list_registered_tasks(self, workers: Any) -> dict[str, dict[str, str]]:
        return {}

    def order(self, command: Any, workers: Any, heard: Any = None) -> dict[str, tuple[bool, str]]:
        self.ordered.append((command.method, tuple(workers)))
        return dict.fromkeys(workers, (True, "pool will grow"))

    def check_signal(self, signal: str) -> None: ...

    def revoke(self, run_ids: Any, *, terminate: bool = False, signal: str = "SIGTERM") -> dict[str, str]:
        self.revoked.append((tuple(run_ids), terminate))
        return {}

    def result_state(self, run_id: str) -> str | None:
        return None

    def store_revoked(self, run_ids: Any) -> None:
        pass


class FilterInvalid(Invalid):
    """A filter that can't be understood, with its place."""

    position = 6
    length = 3


@dataclass
class FakeHistory:
    """Runs that are told, newest first. The filter knows ``state:WORD``; ``state:bad`` is wrong."""

    rows: list[Run] = field(default_factory=list)
    asked: list[tuple[str, int, int]] = field(default_factory=list)
    number: int = 1
    changed: list[tuple[int, Run]] = field(default_factory=list)
    looked_to: datetime | None = None
    groups: list[ErrorGroup] = field(default_factory=list)
    figures: list[TaskStats] = field(default_factory=list)
    hour: TaskStats | None = None
    problem: str = ""
    relatives: Family | None = None
    lives: dict[str, list[LifeEvent]] = field(default_factory=dict)
    marked: list[Mark] = field(default_factory=list)
    starts: dict[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    exists: bool = True
    path: Path = Path("/nowhere/history.db")

    def family(self, run_id: str) -> Family:
        """The workflow that is told; of any other run itself alone."""
        if self.relatives and any(member.id == run_id for member in self.relatives.members):
            return self.relatives
        return Family((), {}, {})

    def runs(self, filter_text: str = "", limit: int = 200, offset: int = 0) -> list[Run]:
        self.asked.append((filter_text, limit, offset))
        return self._found(filter_text)[offset : offset + limit]

    def check(self, filter_text: str) -> None:
        self._found(filter_text)

    def page(self, filter_text: str, limit: int, offset: int, budget_s: float) -> RunPage:
        return RunPage(tuple(self.runs(filter_text, limit, offset)), len(self._found(filter_text)), self.looked_to)

    def run(self, id_prefix: str) -> Run:
        for run in self.rows:
            if run.id.startswith(id_prefix):
                return run
        raise NotFound(f"no run {id_prefix!r} in the history")

    def life(self, run_id: str) -> list[Any]:
        return self.lives.get(run_id, [])

    def version(self) -> int:
        if self.problem:
            raise SourceError(self.problem)
        return self.number

    def lag_s(self) -> float:
        return 1.0

    def failures(self, since: float = 0.0, filter_text: str = "", limit: int = 100) -> list[ErrorGroup]:
        return [group for group in self.groups if group.last_at >= since]

    def stats(self, since: float, by_queue: bool = False, by_task: bool = True) -> list[TaskStats]:
        return self.figures if by_task else [self.hour] if self.hour else []

    def chart(self, since: float, slice_s: int = 60, task: str = "", queue: str = "") -> list[Slice]:
        """Sixty minutes in which ever more ended, and a tenth of it failed; nothing where no run is known."""
        counts = [place * 2 if self.rows else 0 for place in range(61)]
        return [Slice(since + 60 * place, one, one, one // 10, 0, 0) for place, one in enumerate(counts)]

    def marks(self, since: float = 0.0) -> list[Mark]:
        return [mark for mark in self.marked if mark.at.timestamp() >= since]

    def count_starts(
        self, bounds: Mapping[str, float], now: float, windows: tuple[int, ...]
    ) -> dict[str, tuple[tuple[int, int], ...]]:
        del bounds, now, windows
        return self.starts

    def waits(self, since: float, slice_s: int = 60) -> list[QueueWaits]:
        """A queue whose runs wait ever longer, one that is quick, one of which a run ended now and then."""
        if not self.rows:
            return []
        rising = tuple(1.05 ** (place * 2.6) for place in range(61))
        quick = tuple(0.1 + place % 7 / 100 for place in range(61))
        seldom = tuple(12.0 if place % 20 == 3 else None for place in range(61))
        return [QueueWaits("ai_queue", rising), QueueWaits("reports_queue", seldom), QueueWaits("email_queue", quick)]

    def histogram(self, since: float, task: str) -> tuple[list[Share], list[Share]]:
        """Most runs take some seconds, a few very long."""
        bounds = (0.3, 1.0, 3.0, 10.0, 30.0, 60.0, None)
        counts = (92, 310, 741, 202, 0, 5)
        return [Share(bounds[n] or 0, bounds[n + 1], count) for n, count in enumerate(counts)], []

    def trend(self, since: float, slice_s: int, task: str) -> list[TrendPoint]:
        """One of sixty points in five has no runs."""
        times = [None if place % 15 in (3, 4, 5) else (1 + place / 20, 2 + place % 12 / 3) for place in range(60)]
        return [TrendPoint(since + place * slice_s, 9, 1, one, one) for place, one in enumerate(times)]

    def last_change(self) -> int:
        return self.number

    def changes(self, after: int, filter_text: str = "") -> Changes[Run]:
        return Changes(tuple(run for number, run in self.changed if number > after), self.number)

    def add(self, run: Run) -> None:
        """Tell of a new run, or of what became of a known one."""
        self.rows = [run, *(row for row in self.rows if row.id != run.id)]
        self.number += 1
        self.changed.append((self.number, run))

    def _found(self, filter_text: str) -> list[Run]:
        if not filter_text:
            return self.rows
        word = filter_text.removeprefix("state:").upper()
        if word == "BAD":
            raise FilterInvalid("no state is called bad (at 7)")
        return [run for run in self.rows if run.state == word]


@dataclass
class FakeSupervisor:
    """Programs that are told; start and stop are noted."""

    rows: tuple[Program, ...] = ()
    is_used: bool = True
    log: str = "ready\n"
    done: list[tuple[str, str]] = field(default_factory=list)

    def programs(self) -> tuple[Program, ...]:
        return self.rows

    def traces(self, programs: Any) -> tuple[object, ...]:
        return self.rows

    def resolve(self, name: str) -> tuple[str, ...]:
        return (name,)

    def log_tail(self, name: str, lines: int = 20) -> str:
        return self.log


@dataclass
class FakeCatalog:
    """Task types that are told; a kwarg ``pages`` that is no number is refused, as the real check does."""

    types: tuple[TaskType, ...] = ()
    submitted: list[Submitted] = field(default_factory=list)
    given: list[dict[str, Any]] = field(default_factory=list)

    def task_types(self) -> tuple[TaskType, ...]:
        return self.types

    def check(self, name: str, args: Any, kwargs: dict[str, Any]) -> None:
        if "file_path" not in kwargs:
            raise Invalid("invalid_argument: file_path: missing; expected path below the upload root")
        if not isinstance(kwargs.get("pages", 1), int):
            raise Invalid("invalid_argument: pages: input should be a valid integer; expected whole number")

    def uses_priorities(self) -> bool:
        return False

    def submit(self, name: str, args: Any, kwargs: dict[str, Any], **options: Any) -> Submitted:
        given = {"args": args} if args else {}
        self.given.append(
            {"task": name, "kwargs": kwargs} | given | {k: v for k, v in options.items() if v is not None}
        )
        made = Submitted(run_id(77), name, "file_processing_queue", options.get("priority") or 5)
        self.submitted.append(made)
        return made


@dataclass
class FakeSchedule:
    """Entries that are told; what is done with one is noted."""

    told: Schedule = field(default_factory=lambda: Schedule((), 0))
    due: list[DueTime] = field(default_factory=list)
    done: list[tuple[str, str]] = field(default_factory=list)

    def read(self, limit: int = 100, missed_for: Any = None, *, day_ahead: bool = False) -> Schedule:
        return self.told

    def entry(self, name: str, missed_for: Any = None) -> ScheduleEntry:
        return next(entry for entry in self.told.entries if entry.name == name)

    def publisher(self, name: str) -> Any:
        def publish(due_at: datetime | None) -> Submitted:
            self.done.append(("run", f"{name} {due_at:%H:%M}" if due_at else name))
            return Submitted(run_id(78), "a task", "default_queue", 5)

        return publish

    def find(self, name: str) -> Any:
        return SimpleNamespace(entry=self.entry(name))

    def backfill(self, name: str, since: datetime, until: datetime) -> list[DueTime]:
        return [due for due in self.due if since <= due.at <= until]

    def check_change(self, name: str, change: str) -> None: ...

    def set_enabled(self, name: str, *, is_enabled: bool) -> str:
        self.done.append(("resume" if is_enabled else "pause", name))
        return "resumed, counts from now" if is_enabled else "paused"

    def next_time(self, name: str) -> datetime:
        return self.entry(name).next_at or NOW

    def skip(self, name: str) -> datetime:
        self.done.append(("skip", name))
        return self.next_time(name)


@dataclass
class FakeDeadLetters:
    """Letters that are told, the newest first; what is done with one is noted."""

    rows: tuple[DeadLetter, ...] = ()
    done: list[tuple[str, str]] = field(default_factory=list)

    def count(self) -> int:
        return len(self.rows)

    def list(self, limit: int = 100) -> tuple[DeadLetter, ...]:
        return self.rows[:limit]

    def show(self, letter_id: str) -> DeadLetter:
        return next(replace(row, shown='{"to": "ada"}') for row in self.rows if row.id == letter_id)

    def retry(self, letter_id: str, undo: str = "") -> TargetOutcome:
        return self._do("retry", letter_id, "back in its queue")

    def drop(self, letter_id: str, undo: str = "") -> TargetOutcome:
        return self._do("drop", letter_id, "dropped")

    def _do(self, what: str, letter_id: str, told: str) -> TargetOutcome:
        self.done.append((what, letter_id))
        self.rows = tuple(row for row in self.rows if row.id != letter_id)
        return TargetOutcome(letter_id, True, told)


@dataclass(frozen=True)
class FakeSources(Sources):
    """Sources with a schedule and dead letters that are told."""

    told_schedule: Any = None
    told_letters: Any = None

    @property
    def schedule(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.told_schedule

    @property
    def dead_letters(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.told_letters


@dataclass
class Fakes:
    """One of each, and the ``Sources`` made of them."""

    broker: FakeBroker
    control: FakeControl
    history: FakeHistory
    supervisor: FakeSupervisor
    catalog: FakeCatalog
    schedule: FakeSchedule = field(default_factory=FakeSchedule)
    letters: FakeDeadLetters = field(default_factory=FakeDeadLetters)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def sources(self, *, read_only: bool = False) -> Sources:
        return FakeSources(
            told_schedule=self.schedule,
            told_letters=self.letters,
            broker=cast(Any, self.broker),
            control=cast(Any, self.control),
            history=cast(Any, self.history),
            supervisor=cast(Any, self.supervisor),
            catalog=cast(Any, self.catalog),
            read_only=read_only,
            code=CODE,
            deployment=DEPLOYMENT,
        )


def busy() -> Fakes:
    """A stack at work."""
    return Fakes(
        FakeBroker(_queues(), {"email_queue": [a_message(n, "email_queue", n % 3) for n in range(12)]}),
        FakeControl(_workers()),
        FakeHistory(_runs(), groups=_groups(), figures=_figures(), hour=HOUR),
        FakeSupervisor(_programs(), log="[10:41:59] ready\n[10:42:01] Task process_pdf received\n"),
        FakeCatalog(_types()),
    )


def in_a_workflow() -> Fakes:
    """A stack at work whose failed run is one of 98 members of a chord behind an export."""
    fakes = busy()
    at = (NOW - timedelta(minutes=5)).timestamp()
    run_id = next(run.id for run in fakes.history.rows if run.state == "FAILURE")
    body = Step("task", "ffff0000-body", "workers.report_tasks.merge_pages")
    page, plan = "workers.report_tasks.render_page", Plan(body=body)
    chord = Step("chord", "9f31c2d0-group", size=98, body=body)
    members = [_member("77ab0000-root", 0, "workers.report_tasks.export_customers", at, ran_s=2.1)]
    for number in range(98):
        told = {"id": run_id, "state": "FAILURE"} if number == 12 else {"state": "STARTED"} if number == 40 else {}
        member = _member(f"{number:04x}0000-page", 1 + number, page, at + 3, parent_id="77ab0000-root", ran_s=0.8)
        members.append(member._replace(group_id=chord.id, **told))
    plans = {member.id: plan for member in members[1:]} | {"77ab0000-root": Plan(chain=(chord,))}
    error = "RateLimited: rate_limited: the provider asks to wait 20 s"
    fakes.history.relatives = Family(tuple(members), plans, {run_id: error})
    fakes.history.lives = {run_id: _two_tries()}
    task = "workers.ai_tasks.chat_completion"
    fakes.history.figures.append(TaskStats(task, "", 9, 9, 8, 1, 0, 3, 0.1, (0.9, 2.4, 8.0), (0.3, 1.2, 4.0)))
    limited = TaskType(task, "ai_queue", time_limit_s=600, soft_time_limit_s=540)
    fakes.catalog.types = (*fakes.catalog.types, limited)
    return fakes


def _two_tries() -> list[LifeEvent]:
    """A run that failed twice, with a pause of ten seconds between."""
    begin, limited = NOW - timedelta(minutes=3), "RateLimited: the provider asks to wait"
    told = (
        (0, "sent", "ai_queue"),
        (1.2, "started", "ai@web1"),
        (4.3, "retried", limited),
        (14.3, "started", "ai@web1"),
    )
    return [LifeEvent(begin + timedelta(seconds=at), *rest) for at, *rest in (*told, (17.4, "failed", limited))]


def _member(id_: str, number: int, task: str, at: float, *, ran_s: float, parent_id: str | None = None) -> Member:
    return Member(
        int(at * 1_000_000) * COUNTERS + number, id_, task, "SUCCESS", at, at + 1, at + 1 + ran_s, 1.0, ran_s, 0,
        "77ab0000-root", parent_id, None, "reports_queue", None,
    )  # fmt: skip


def audited() -> Fakes:
    """A stack on which two changes were made; the first can be taken back."""
    fakes = busy()
    gone = tuple(
        TargetOutcome(f"0000000{number}", number != 3, "deleted" if number != 3 else "had already started")
        for number in range(1, 4)
    )
    fakes.broker.audit.entries = (
        AuditEntry(
            "2-0",
            NOW - timedelta(minutes=2),
            "ops",
            "192.0.2.7 (ssh)",
            "Delete",
            "nexus-tui delete 00000001",
            False,
            "2 of 3 done; had already started",
            gone,
            3,
            "t1",
        ),
        AuditEntry(
            "1-0",
            NOW - timedelta(hours=3),
            "ops",
            "web1",
            "Pause",
            "nexus-tui pause reports_queue",
            True,
            "reports_queue: paused",
            (TargetOutcome("reports_queue", True, "paused"),),
            1,
        ),
    )
    return fakes


def scheduled() -> Fakes:
    """A stack with a schedule: an entry of each state."""
    stack = busy()
    at, day = NOW, [1 if place % 4 == 1 else 0 for place in range(96)]
    nightly = [1 if place == 66 else 0 for place in range(96)]
    missed = MissedRuns(2, (at - timedelta(hours=2), at - timedelta(hours=1)), at - timedelta(hours=24))
    entries = (
        ScheduleEntry(
            "collect-garbage", "workers.upkeep.collect", "every 30 seconds", "RedBeat", (), {}, "default_queue", True,
            at + timedelta(seconds=12), at - timedelta(seconds=18), runs=1204, missed=MissedRuns(since=at),
            outcomes=tuple(EntryRun(run_id(n), "SUCCESS", at - timedelta(seconds=30 * n)) for n in range(5)),
        ),
        ScheduleEntry(
            "hourly-digest", "workers.email_tasks.send_bulk_emails", "at minute 45 of every hour", "RedBeat", (),
            {"list": "news"}, "email_queue", True, at + timedelta(minutes=3), at - timedelta(minutes=57), runs=88,
            missed=missed, expires="5 m 00 s",
            outcomes=(EntryRun(run_id(3), "FAILURE", at), EntryRun(run_id(4), "SUCCESS", at)),
        ),
        ScheduleEntry(
            "nightly-report", "workers.report_tasks.generate", "at 03:15, UTC", "RedBeat", (), {"days": 1},
            "reports_queue", True, at + timedelta(hours=16.5), at - timedelta(hours=7.5), runs=31,
            missed=MissedRuns(unknown="nothing was recorded"),
        ),
        ScheduleEntry(
            "poll-mailbox", "workers.email_tasks.poll", "every 5 minutes", "RedBeat", (), {}, "email_queue", True,
            at - timedelta(minutes=3), at - timedelta(minutes=8), late_s=180.0, runs=9, missed=MissedRuns(since=at),
        ),
        ScheduleEntry(
            "old-import", "workers.file_tasks.scan", "every hour", "RedBeat", (), {}, None, False, None,
            at - timedelta(days=3), runs=400, missed=MissedRuns(unknown="it is paused"),
        ),
    )  # fmt: skip
    days = {"collect-garbage": [30] * 96, "hourly-digest": day, "nightly-report": nightly, "old-import": [0] * 96}
    beats = (Beat("RedBeat", True, "a beat took redbeat::lock 3 s ago"),)
    stack.schedule.told = Schedule(entries, 5, beats, (), DayAhead(at.replace(minute=30, second=0), days))
    stack.schedule.due = [DueTime(due, None, True) for due in missed.due_at]
    return stack


def with_dead_letters() -> Fakes:
    """A stack on which two messages were set aside."""
    stack = busy()
    lost = ({"worker": "files@web1", "lost": "worker", "progress": None},) * 3
    stack.letters.rows = (
        DeadLetter("7-0", run_id(7), "workers.file_tasks.process_pdf", "poisoned", "its worker died 3 times in a row",
                   "file_processing_queue", 5, "files@web1", NOW - timedelta(minutes=4), deliveries=lost),
        DeadLetter("6-0", None, None, "malformed", "[b]no[/b] JSON: \x1b[31m…", "email_queue", 0, "email@web1",
                   NOW - timedelta(hours=2)),
    )  # fmt: skip
    return stack


def idle() -> Fakes:
    """A stack that just started."""
    queues = tuple(QueueStats(spec.name, 0, (0,) * 10, 0, 0, None, False, 0.0, 0.0, ("w@web1",)) for spec in QUEUES)
    workers = tuple(replace(worker, verdict="healthy", active=0, children=(), reason="") for worker in _workers())
    return Fakes(
        FakeBroker(queues), FakeControl(workers), FakeHistory(), FakeSupervisor(_programs()), FakeCatalog(_types())
    )


def dead() -> Fakes:
    """A stack whose broker does not answer and never did."""
    fakes = idle()
    fakes.broker.problem = "broker at unix:///run/broker.sock does not answer"
    fakes.control.rows = ()
    fakes.supervisor.rows = ()
    return fakes


def _groups() -> list[ErrorGroup]:
    at = NOW.timestamp()
    asks = ("workers.ai_tasks.chat_completion",)
    mails = ("workers.email_tasks.send_email", "workers.email_tasks.send_bulk_emails")
    place = "services/llm.py in ask"
    says = "RateLimited: rate_limited: the provider asks to wait 12 s"
    return [
        ErrorGroup(
            "RateLimited", place, 1284, at - 80_000, at - 4, says, asks, run_id(2), (0, 1, 3, 9, 40, 80, 99, 70)
        ),
        ErrorGroup(
            "MailRefused", "", 3, at - 5000, at - 3000, "MailRefused: 550 no\nsuch user", mails, run_id(3), (3,)
        ),
        ErrorGroup("[red]Error[/]", "a.py in b", 1, at - 9, at - 9, "[b]\x1b[31mno", ("?",), run_id(4), (0, 1)),
    ]


def _figures() -> list[TaskStats]:
    mail, pdf = "workers.email_tasks.send_email", "workers.file_tasks.process_pdf"
    return [
        TaskStats(mail, "", 128_412, 128_500, 128_400, 12, 0, 31, 0.0000934, (0.04, 0.2, 1.4), (0.01, 0.9, 4.0)),
        TaskStats(pdf, "", 1204, 1210, 1100, 100, 4, 0, 100 / 1200, (3.1, 61.0, 410.0), (2.0, 3700.0, 9000.0)),
        TaskStats("cleanup", "", 1, 0, 1, 0, 0, 0, 0.0, (0.2, 0.2, 0.2), None),
    ]


def _queues() -> tuple[QueueStats, ...]:
    return (
        QueueStats(
            "email_queue", 12, (4, 4, 4, 0, 0, 0, 0, 0, 0, 0), 4, 0, 90.0, False, 3.0, 3.2, ("email@web1",),
            history=(1, 2, 2, 3, 5, 7, 5, 3, 2, 1),
        ),
        QueueStats(
            "file_processing_queue", 48, (0, 0, 0, 0, 0, 48, 0, 0, 0, 0), 2, 1, 12.0, False, 1.5, 2.5, ("files@web1",),
            history=(9, 12, 20, 31, 48),
        ),
        QueueStats(
            "ai_queue", 1204, (0, 0, 0, 0, 0, 1200, 0, 0, 0, 4), 2, 0, 2460.0, False, 0.9, 0.2, (),
            history=(10, 30, 40, 50, 60, 60, 70, 70, 80, 80),
        ),
        QueueStats(
            "reports_queue", 31, (0, 0, 0, 0, 0, 21, 0, 0, 10, 0), 0, 0, 192.0, True, 0.1, 0.0, ("reports@web1",), True,
            history=(1, 1, 1, 1, 2, 2, 2, 3, 3, 3),
        ),
        QueueStats("default_queue", 0, (0,) * 10, 0, 0, None, False, 0.0, 0.0, ("default@web1",)),
    )  # fmt: skip


def _workers() -> tuple[Worker, ...]:
    children = (
        Child(4711, 93.0, 61_000_000, run_id(2), "workers.file_tasks.process_pdf", 9.0),
        Child(4712, 0.0, 44_000_000),
    )
    return (
        Worker("email@web1", "busy", "4 of 4 children work", ("email_queue",), "prefork", 4, 4, 3, 18_204, 12.4,
               118_000_000, NOW, "workers:email", 187_200.0, 4001),
        Worker("files@web1", "busy", "1 of 2 children works", ("file_processing_queue",), "prefork", 2, 1, 1, 904, 93.2,
               201_000_000, NOW, "workers:files", 187_200.0, 4002, children),
        Worker("ai@?", "crash-looping", "workers:ai is BACKOFF: Exited too quickly", program="workers:ai"),
        Worker("reports@web1", "healthy", "answers", ("reports_queue",), "prefork", 2, 0, 0, 77, 0.3,
               95_000_000, NOW, "workers:reports", 3_720.0, 4004),
        Worker("default@web1", "silent", "no heartbeat for 41 s", ("default_queue",), "prefork", 2, None, None, None,
               None, None, NOW - timedelta(seconds=41), None, None, 4005),
    )  # fmt: skip


def _runs() -> list[Run]:
    error = "RateLimited: rate_limited: the provider asks to wait 20 s"
    runs = [
        a_run(1, state="PENDING", worker=None, received_at=None, started_at=None, finished_at=None,
              ran_s=None, result=None),
        a_run(2, state="STARTED", finished_at=None, ran_s=None, result=None, progress=Progress(812, 1000, "pages")),
        a_run(3, state="FAILURE", task="workers.ai_tasks.chat_completion", queue="ai_queue", error=error, retries=3,
              traceback=f'Traceback (most recent call last):\n  File "ai.py", line 3, in chat\n{error}\n', result=None,
              kwargs={"prompt": "Say [bold]hello[/bold]"}, worker="ai@web1"),
        a_run(4, state="REVOKED", started_at=None, ran_s=None, result=None),
    ]  # fmt: skip
    return runs + [a_run(number) for number in range(5, 60)]


def _programs() -> tuple[Program, ...]:
    return (
        Program("beat", "RUNNING", 3001, 187_200.0),
        Program("broker", "RUNNING", 3000, 187_203.0),
        Program("workers:ai", "BACKOFF", None, None, 1, "Exited too quickly (process log may have details)"),
        Program("workers:email", "RUNNING", 4001, 187_200.0),
        Program("workers:files", "RUNNING", 4002, 187_200.0),
        Program("workers:reports", "STOPPED", None, None, 0, "Not started"),
    )


def _types() -> tuple[TaskType, ...]:
    pdf = TaskType(
        "workers.file_tasks.process_pdf",
        "file_processing_queue",
        "Read a PDF: text of every page, metadata, pictures.",
        "Read a PDF: text of every page, metadata, pictures.\n\nArgs:\n    file_path: The PDF.\n",
        (
            TaskParameter(
                "file_path", "path", "path below the upload root", True, None, (), "The PDF, below the upload root."
            ),
            TaskParameter(
                "operations", "choices", "list of text | images", False, None, ("text", "images"), "What to do."
            ),
            TaskParameter("mode", "choice", "fast | exact", False, "fast", ("fast", "exact"), "How carefully."),
            TaskParameter("pages", "integer", "whole number", False, 10, (), "At most so many pages."),
            TaskParameter("ocr", "boolean", "yes or no", False, False, (), "Whether pictures are read."),
            TaskParameter("options", "json", "JSON object", False, None, (), "More options."),
        ),
    )
    mail = TaskType("workers.email_tasks.send_email", "email_queue", "Send one mail.", "Send one mail.")
    return (mail, pdf)
