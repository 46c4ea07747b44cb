"""Reconciliation of open runs, whose end was never told, with Redis and the living workers.

A result that is there becomes the run's end. Where there is none, and nothing that could still run it is there, the
run gets the verdict ``lost?`` with the reason: the worker is gone, was started anew, runs nothing; or the message is
in no queue and with no worker. The run's state stays what events said, and the verdict goes with the next event. A
message that waits elsewhere than events told, after a move or a change of priority, is taken note of.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeGuard, cast

import orjson
import redis

from celery_nexus.connection.keys import RESULT_KEY, WORKER_HASH
from celery_nexus.delivery.layout import Layout
from celery_nexus.delivery.leases.heartbeats import measure_silence_s
from celery_nexus.delivery.remembering import broker_now
from celery_nexus.history.encoding import STATES
from celery_nexus.history.recorder.message_locations import MessageLocation, locate
from celery_nexus.history.store.event_fields import Event
from celery_nexus.history.store.store import Store
from celery_nexus.privacy.masking import mask_text
from celery_nexus.times import parse_time

OPEN_FOR_S = 30.0
"""Time without an event after which an open run is examined."""

SILENT_FOR_S = 30.0
"""Age of the last heartbeat (they come every 2 s) from which a worker counts as gone."""

INTERVAL_S = 10.0
STEP = 200
MAX_MISSED = 10_000
_LATEST = 4_102_444_800
_MAX_META_BYTES = 192 * 1024
_STARTED, _RECEIVED, _PENDING, _RETRY = _OPEN_STATES = tuple(
    STATES.index(state) for state in ("STARTED", "RECEIVED", "PENDING", "RETRY")
)
_OPEN = """
select run.key, run.id, state, state_at, worker.text, verdict, queue.text, priority
from run indexed by run_open
left join name as worker on worker.id = run.worker
left join name as queue on queue.id = run.queue
where state < 5 and state = ? and run.key > ? and state_at < ?
order by run.key limit ?
"""


@dataclass(frozen=True, slots=True)
class _Open:
    key: int
    id: str
    state: int
    state_at: float
    worker: str | None
    verdict: str | None
    queue: str | None
    priority: int | None


class Reconciler:
    """Looks at open runs, some at a time.

    Args:
        client: Redis, where results and workers' heartbeats are.
        open_for_s: Runs that changed less long ago are left alone.
        heartbeats: Gives each worker's last heartbeat; by default from :data:`WORKER_HASH`.
        prefix: Put before the keys of results (``global_keyprefix``).
        queues: Names of the application's queues, as far as it declared them.
        lists: How its lists are named; by default with our own separator and steps.
    """

    def __init__(
        self,
        client: redis.Redis,
        open_for_s: float = OPEN_FOR_S,
        heartbeats: Callable[[], dict[str, dict[str, Any]]] | None = None,
        prefix: str = "",
        queues: Iterable[str] = (),
        layout: Layout | None = None,
    ) -> None:
        self._client = client
        self._open_for_s = open_for_s
        self._heartbeats = heartbeats or self._heartbeats_of_ours
        self._prefix = prefix
        self._queues = frozenset(queues)
        self._layout = layout or Layout(prefix=prefix)
        # Other applications spell their lists in their own way.
        self._are_lists_known = heartbeats is None
        self._place = (0, 0)
        self._next_at = 0.0
        self._missed: dict[str, str] = {}

    def step(self, store: Store) -> int:
        """Look at some open runs, at most every ten seconds; returns how many ends were found.

        Raises:
            redis.RedisError: The broker doesn't answer.
        """
        if time.monotonic() < self._next_at:
            return 0
        runs = self._open_runs(store)
        if not runs:
            return 0
        ends = self._ends(runs)
        ended = {event["uuid"] for event in ends}
        still_open = [run for run in runs if run.id not in ended]
        queues = {*self._queues, *(run.queue for run in still_open if run.queue)}
        places = locate(self._client, queues, self._layout) if self._are_lists_known else None
        workers = self._heartbeats()
        store.write([*ends, *_moves(still_open, workers, places or {})])
        verdicts = {run.id: self._verdict(run, workers, places) for run in still_open}
        store.set_verdicts({run.id: verdicts[run.id] for run in still_open if verdicts[run.id] != run.verdict})
        return len(ends)

    def _open_runs(self, store: Store) -> list[_Open]:
        """Return the next open runs, state by state; after the last ones it pauses."""
        state, after = self._place
        until = time.time() - self._open_for_s
        rows = store.connection.execute(_OPEN, (_OPEN_STATES[state], after, until, STEP))
        runs = [_Open(*row) for row in rows]
        if len(runs) == STEP:
            self._place = (state, runs[-1].key)
        elif state + 1 < len(_OPEN_STATES):
            self._place = (state + 1, 0)
            return runs or self._open_runs(store)
        else:
            self._place = (0, 0)
            self._next_at = time.monotonic() + INTERVAL_S
        return runs

    def _ends(self, runs: Sequence[_Open]) -> list[Event]:
        pipeline = self._client.pipeline(transaction=False)
        for run in runs:
            pipeline.getrange(f"{self._prefix}{RESULT_KEY}{run.id}", 0, _MAX_META_BYTES - 1)
        replies = pipeline.execute(raise_on_error=False)
        ends = [_end(run, data) for run, data in zip(runs, replies, strict=True) if isinstance(data, bytes) and data]
        return [event for event in ends if event is not None]

    def _verdict(
        self, run: _Open, workers: dict[str, dict[str, Any]], places: dict[str, MessageLocation] | None
    ) -> str | None:
        reason = _explain_loss(run, workers) if run.state in {_STARTED, _RECEIVED} and run.worker is not None else None
        if reason is not None:
            place = (places or {}).get(run.id)
            return None if place is not None and place.is_waiting else f"lost? {reason}"
        reason = _explain_standstill(run, workers, places)
        if reason is None:
            self._missed.pop(run.id, None)
            return None
        # What is on its way is nowhere for an instant: only what is missing twice is missed.
        first = self._missed.get(run.id)
        self._missed[run.id] = reason
        while len(self._missed) > MAX_MISSED:
            self._missed.pop(next(iter(self._missed)))
        return f"lost? {reason}" if first == reason or run.verdict is not None else None

    def _heartbeats_of_ours(self) -> dict[str, dict[str, Any]]:
        heartbeats = cast("dict[bytes, bytes]", self._client.hgetall(self._prefix + WORKER_HASH))
        ahead_s = broker_now(self._client) - time.time()
        found = {name.decode("utf-8", "replace"): _decode_meta(data) for name, data in heartbeats.items()}
        return {
            name: beat | {"silent_s": measure_silence_s(beat, time.time(), ahead_s)} for name, beat in found.items()
        }


def _moves(
    runs: Sequence[_Open], workers: dict[str, dict[str, Any]], places: dict[str, MessageLocation]
) -> list[Event]:
    """Make the events of messages that wait elsewhere than was told, or wait again since their worker is gone."""
    events: list[Event] = []
    for run in runs:
        place = places.get(run.id)
        if place is None or not place.is_waiting:
            continue
        event: Event = {"uuid": run.id, "timestamp": time.time(), "queue": place.queue, "priority": place.priority}
        if run.state in {_STARTED, _RECEIVED} and (run.worker is None or _explain_loss(run, workers)):
            events.append(event | {"type": "task-requeued"})
        elif (place.queue, place.priority) != (run.queue, run.priority):
            events.append(event | {"type": "task-moved"})
    return events


def _explain_loss(run: _Open, workers: dict[str, dict[str, Any]]) -> str | None:
    """Tell why a run's worker can't have it any more."""
    heartbeat = workers.get(run.worker or "")
    if heartbeat is None:
        return f"{run.worker} is not online"
    at, started_at = heartbeat.get("timestamp"), heartbeat.get("started_at")
    if _is_time(at) and (heartbeat.get("silent_s") or 0.0) > SILENT_FOR_S:
        return f"nothing was heard of {run.worker} since {datetime.fromtimestamp(at, UTC):%H:%M:%S} UTC"
    if _is_time(started_at) and started_at > run.state_at:
        return f"{run.worker} was started anew at {datetime.fromtimestamp(started_at, UTC):%H:%M:%S} UTC"
    return None


def _explain_standstill(
    run: _Open, workers: dict[str, dict[str, Any]], places: dict[str, MessageLocation] | None
) -> str | None:
    """Tell why a run goes nowhere although its worker, if it has one, lives."""
    if run.state == _STARTED:
        is_idle = workers.get(run.worker or "", {}).get("active") == 0
        return f"{run.worker} runs nothing, and the end was never told" if is_idle else None
    if places is None or run.id in places:
        return None
    return "its message is in no queue and with no worker"


def _is_time(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and 0 < value < _LATEST


def _decode_meta(data: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _end(run: _Open, data: bytes) -> Event | None:
    """Make the event that was lost; without the result, which its task may keep private."""
    meta = _decode_meta(data)
    at = _done_at(meta.get("date_done")) or time.time()
    event: Event = {"uuid": run.id, "timestamp": max(at, run.state_at), "hostname": run.worker}
    match meta.get("status"):
        case "SUCCESS":
            return event | {"type": "task-succeeded"}
        case "REVOKED":
            return event | {"type": "task-revoked"}
        case "FAILURE":
            return event | {"type": "task-failed", "exception": _exception(meta), "traceback": _traceback(meta)}
        case _:
            return None


def _exception(meta: dict[str, Any]) -> str:
    error = meta.get("result")
    error = cast("dict[str, Any]", error) if isinstance(error, dict) else {}
    message = error.get("exc_message")
    parts = cast("list[Any]", message) if isinstance(message, list) else [message]
    return mask_text(f"{error.get('exc_type') or 'Error'}({', '.join(repr(part) for part in parts)})")


def _traceback(meta: dict[str, Any]) -> str:
    return mask_text(str(meta.get("traceback") or ""))


def _done_at(text: Any) -> float | None:
    at = parse_time(text)
    return None if at is None else at.timestamp()
