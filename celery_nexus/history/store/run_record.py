"""The recorder's in-memory record of a run, and its state transitions by events. No I/O.

Events arrive late, twice and out of order. What decides is each event's own time, then how far its state is
in a run's life; what an event says beside the state is kept whenever it fills a gap.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from celery_nexus.canvas import MAX_ENCODED
from celery_nexus.history.encoding import FINAL
from celery_nexus.history.errors import BadEvent
from celery_nexus.history.store.event_fields import (
    LATEST,
    MAX_NAME,
    Event,
    count_of,
    encode_value,
    event_time,
    iso_time,
    name_of,
    optional_time,
    priority_of,
)
from celery_nexus.history.store.failure import fingerprint, parse_failure

_RANK = {"PENDING": 0, "RECEIVED": 1, "STARTED": 2, "RETRY": 3, "REJECTED": 3, "REVOKED": 4, "FAILURE": 4, "SUCCESS": 5}

MAX_LIFE = 100
_COUNTED_AS = {"retried": "RETRY", "rejected": "REJECTED"}


def _no_life() -> list[list[Any]]:
    return []


def _nothing_done() -> list[tuple[str, float]]:
    return []


@dataclass(slots=True)
class RunRecord:
    """A run, with what has changed since it was last written.

    Attributes:
        key: Row in the file: microseconds of the first time known, and a counter below them. 0: not yet written.
        state_at: Time of the event that decided the state.
        life: ``[time, event, detail]`` of each transition, in the order of their times.
        arguments: ``(args, kwargs)`` as stored texts, when they came since the last write.
        ahead: What follows it, in the short form of :mod:`celery_nexus.canvas`, when it came since the last write.
        ending: ``(result, error, traceback, place)`` as stored texts, when it changed since the last write.
        done: Transitions to be counted, state and time: since the last write, or since ever while no event told
            the task's name.
        repeats: When it was submitted again under its id since the last write, and 1 or 0: whether that counted.
    """

    id: str
    key: int = 0
    task: str | None = None
    queue: str | None = None
    worker: str | None = None
    state: str = "PENDING"
    state_at: float = 0.0
    priority: int | None = None
    retries: int = 0
    sent_at: float | None = None
    eta_at: float | None = None
    received_at: float | None = None
    started_at: float | None = None
    finished_at: float | None = None
    waited_s: float | None = None
    ran_s: float | None = None
    root_id: str | None = None
    parent_id: str | None = None
    group_id: str | None = None
    error_group: str | None = None
    progress: str | None = None
    verdict: str | None = None
    has_arguments: bool = False
    life: list[list[Any]] = field(default_factory=_no_life)
    arguments: tuple[str | None, str | None] | None = None
    ahead: str | None = None
    ending: tuple[str | None, str | None, str | None, str | None] | None = None
    done: list[tuple[str, float]] = field(default_factory=_nothing_done)
    repeats: list[tuple[float, int]] | None = None

    def apply(self, event: Event) -> bool:
        """Take an event in; False when it says nothing new.

        Raises:
            BadEvent: Its type isn't one of a run, or its time is none.
        """
        known = _EVENTS.get(event["type"])
        if known is None:
            return False
        handler, name, detail = known
        at = event_time(event)
        if handler is _progress:
            return _progress(self, event, at)
        for entry in self.life:
            if entry[0] == at and entry[1] == name:
                return False
        handler(self, event, at)
        self._remember(at, name, detail(event) if detail else "")
        if self.started_at is not None:
            self._derive(self.started_at)
        return True

    def recall_uncounted(self) -> None:
        """Fill :attr:`done` of a run from the file that was not counted, for want of a name."""
        if self.task is None:
            self.done = [(_COUNTED_AS[name], at) for at, name, _ in self.life if name in _COUNTED_AS]
            if self.state in FINAL and self.finished_at is not None:
                self.done.append((self.state, self.finished_at))

    def _remember(self, at: float, name: str, detail: str) -> None:
        life = self.life
        life.append([at, name, detail])
        if len(life) > 1 and life[-2][0] > at:
            life.sort(key=lambda entry: cast("float", entry[0]))
        if len(life) > MAX_LIFE:
            del life[MAX_LIFE // 2]

    def enter(self, state: str, at: float) -> bool:
        """Go to a state, unless what is known is newer or farther; True when it was entered."""
        current = self.state
        if self.state_at:
            if current == "SUCCESS" or (at < self.state_at and not self._is_past_clocks(state)):
                return False
            if at == self.state_at and _RANK[state] <= _RANK[current]:
                return False
        self.state = state
        if at > self.state_at or self._was_only_sent:
            self.state_at = at
        self.verdict = None
        if state in FINAL:
            self.finished_at = at
        elif current in FINAL:
            self.finished_at = self.ran_s = None
        return True

    @property
    def _was_only_sent(self) -> bool:
        return all(entry[1] == "sent" for entry in self.life)

    def _is_past_clocks(self, state: str) -> bool:
        """Tell whether a state comes after the known one whatever the clocks say, which may differ or be set.

        A success stays. A run that was under way ends later. What a worker tells comes after the publisher's word.
        """
        return state == "SUCCESS" or (state in FINAL and self.state not in FINAL) or self._was_only_sent

    def _derive(self, started_at: float) -> None:
        if self.waited_s is None and self.sent_at is not None:
            due_at = max(self.sent_at, self.eta_at or 0.0)
            self.waited_s = max(0.0, started_at - due_at)
        if self.ran_s is None and self.finished_at is not None:
            self.ran_s = max(0.0, self.finished_at - started_at)


def _sent(run: RunRecord, event: Event, at: float) -> None:
    _identify(run, event)
    retries = count_of(event.get("retries"))
    if not retries and (run.sent_at is None or at < run.sent_at):
        run.sent_at = at
        run.eta_at = iso_time(event.get("eta"))
    run.retries = max(run.retries, retries)
    run.queue = name_of(event.get("queue")) or run.queue
    run.priority = priority_of(event.get("priority"), run.priority)
    _take_arguments(run, event)
    if not run.state_at:
        run.enter("PENDING", at)
    if not retries:
        run.done.append(("SENT", at))
        if any(entry[1] == "sent" for entry in run.life):
            run.repeats = [*(run.repeats or ()), (at, 0 if event.get("uncounted") else 1)]


def _received(run: RunRecord, event: Event, at: float) -> None:
    _identify(run, event)
    retries = count_of(event.get("retries"))
    if event.get("adopted") and not retries and any(entry[1] in {"sent", "received"} for entry in run.life):
        run.repeats = [*(run.repeats or ()), (at, 1)]
    run.retries = max(run.retries, retries)
    if run.received_at is None or at >= run.received_at:
        # It may have been moved since it was sent.
        run.queue = name_of(event.get("queue")) or run.queue
        run.priority = priority_of(event.get("priority"), run.priority)
    if run.sent_at is None:
        run.sent_at = optional_time(event.get("sent_at"))
        run.eta_at = iso_time(event.get("eta"))
    if run.received_at is None or at >= run.received_at:
        run.received_at = at
        run.worker = name_of(event.get("hostname")) or run.worker
    if not run.has_arguments:
        _take_arguments(run, event)
    run.enter("RECEIVED", at)


def _moved(run: RunRecord, event: Event, at: float) -> None:
    if run.state not in FINAL:
        run.queue = name_of(event.get("queue")) or run.queue
        run.priority = priority_of(event.get("priority"), run.priority)


def _requeued(run: RunRecord, event: Event, at: float) -> None:
    _moved(run, event, at)
    if run.state not in FINAL:
        run.enter("PENDING", at)


def _restored(run: RunRecord, event: Event, at: float) -> None:
    """Its deletion was taken back."""
    if run.enter("PENDING", at):
        _moved(run, event, at)


def _started(run: RunRecord, event: Event, at: float) -> None:
    runs_again = run.state == "SUCCESS" and at > run.state_at
    if not runs_again and (run.started_at is None or at >= run.started_at):
        run.started_at = at
        run.worker = name_of(event.get("hostname")) or run.worker
    run.enter("STARTED", at)


def _succeeded(run: RunRecord, event: Event, at: float) -> None:
    if not run.enter("SUCCESS", at):
        return
    run.worker = name_of(event.get("hostname")) or run.worker
    runtime = event.get("runtime")
    run.ran_s = float(runtime) if isinstance(runtime, int | float) and 0 <= runtime < LATEST else None
    run.error_group = None
    run.ending = (encode_value(event.get("result"), event.get("result_json")), None, None, None)
    run.done.append(("SUCCESS", at))


def _failed(run: RunRecord, event: Event, at: float) -> None:
    if not run.enter("FAILURE", at):
        return
    run.worker = name_of(event.get("hostname")) or run.worker
    run.ran_s = None
    _take_failure(run, event)
    run.done.append(("FAILURE", at))


def _retried(run: RunRecord, event: Event, at: float) -> None:
    seen = 1 + sum(entry[1] == "retried" for entry in run.life)
    run.retries = max(run.retries, seen)
    run.done.append(("RETRY", at))
    if run.enter("RETRY", at):
        _take_failure(run, event)


def _revoked(run: RunRecord, event: Event, at: float) -> None:
    if run.enter("REVOKED", at):
        run.ran_s = None
        run.worker = name_of(event.get("hostname")) or run.worker
        run.done.append(("REVOKED", at))


def _rejected(run: RunRecord, event: Event, at: float) -> None:
    if run.state not in FINAL and run.enter("REJECTED", at):
        run.done.append(("REJECTED", at))


def _cancelled(run: RunRecord, event: Event, at: float) -> None:
    run.enter("RETRY", at)


def _progress(run: RunRecord, event: Event, at: float) -> bool:
    done, total = event.get("done"), event.get("total")
    if not isinstance(done, int) or not isinstance(total, int | None):
        raise BadEvent("progress without figures")
    if run.state in FINAL or at < run.state_at:
        return False
    total_text = "null" if total is None else str(total)
    run.progress = f"{done} {total_text} {str(event.get('note') or '')[:200]}"
    return True


def _revoked_detail(event: Event) -> str:
    if event.get("expired"):
        return "expired"
    if event.get("why") in ("deleted", "purged"):
        return str(event["why"])
    return f"terminated {event.get('signum') or ''}".strip()[:100] if event.get("terminated") else ""


def _text_of(name: str, limit: int) -> Callable[[Event], str]:
    def detail(event: Event) -> str:
        value = event.get(name)
        return value[:limit] if isinstance(value, str) else ""

    return detail


_QUEUE, _WORKER, _EXCEPTION = _text_of("queue", MAX_NAME), _text_of("hostname", MAX_NAME), _text_of("exception", 300)

_EVENTS: dict[str, tuple[Callable[[RunRecord, Event, float], Any], str, Callable[[Event], str] | None]] = {
    "task-sent": (_sent, "sent", _QUEUE),
    "task-received": (_received, "received", _WORKER),
    "task-started": (_started, "started", _WORKER),
    "task-succeeded": (_succeeded, "succeeded", None),
    "task-failed": (_failed, "failed", _EXCEPTION),
    "task-retried": (_retried, "retried", _EXCEPTION),
    "task-revoked": (_revoked, "revoked", _revoked_detail),
    "task-rejected": (_rejected, "rejected", lambda event: "back to its queue" if event.get("requeue") else ""),
    "task-cancelled": (_cancelled, "cancelled", lambda event: "its worker lost the broker"),
    "task-moved": (_moved, "moved", _QUEUE),
    "task-requeued": (_requeued, "requeued", _QUEUE),
    "task-restored": (_restored, "restored", _QUEUE),
    "task-progress": (_progress, "progress", None),
}


def _identify(run: RunRecord, event: Event) -> None:
    run.task = run.task or name_of(event.get("name"))
    root_id = event.get("root_id")
    if root_id != run.id:
        run.root_id = run.root_id or name_of(root_id)
    run.parent_id = run.parent_id or name_of(event.get("parent_id"))
    run.group_id = run.group_id or name_of(event.get("group"))


def _take_arguments(run: RunRecord, event: Event) -> None:
    if "args" in event or "kwargs" in event:
        run.arguments = (encode_value(event.get("args")), encode_value(event.get("kwargs")))
        run.has_arguments = True
    ahead = event.get("ahead")
    if isinstance(ahead, str) and 0 < len(ahead) <= MAX_ENCODED:
        run.ahead = ahead


def _take_failure(run: RunRecord, event: Event) -> None:
    failure = parse_failure(str(event.get("exception") or ""), str(event.get("traceback") or ""))
    run.error_group = fingerprint(failure)
    run.ending = (None, failure.error, failure.traceback, failure.place)
