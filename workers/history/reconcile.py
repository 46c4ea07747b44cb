"""What events left open: runs whose end was never told, compared with the result backend and the living workers.

A result that is there becomes the run's end. Where there is none and the worker is gone, or was started anew
after it took the run, the run gets the verdict ``lost?`` with the reason; its state stays what events said, and
the verdict goes with the next event.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import orjson
import redis

from config.keys import WORKER_HASH
from workers.history.record import STATES, Event
from workers.history.results import RESULT_KEY
from workers.history.store import Store
from workers.masking import mask_text

OPEN_FOR_S = 30.0
"""So long nothing was heard of a run before it is looked at."""

SILENT_FOR_S = 30.0
"""A worker without a heartbeat for so long (they come every 2 s) is gone."""

INTERVAL_S = 10.0
STEP = 200
_MAX_META_BYTES = 192 * 1024
_STARTED, _RECEIVED, _PENDING, _RETRY = (STATES.index(state) for state in ("STARTED", "RECEIVED", "PENDING", "RETRY"))
_OPEN = f"""
select run.key, run.id, state, state_at, name.text, verdict
from run left join name on name.id = run.worker
where state in ({_STARTED}, {_RECEIVED}, {_PENDING}, {_RETRY}) and run.key > ? and state_at < ?
order by run.key limit ?
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class _Open:
    key: int
    id: str
    state: int
    state_at: float
    worker: str | None
    verdict: str | None


class Reconciler:
    """Looks at open runs, some at a time.

    Args:
        client: Redis, where results and workers' heartbeats are.
        open_for_s: Runs that changed less long ago are left alone.
        heartbeats: Gives each worker's last heartbeat; by default from :data:`WORKER_HASH`.
        prefix: Put before the keys of results (``global_keyprefix``).
    """

    def __init__(
        self,
        client: redis.Redis,
        open_for_s: float = OPEN_FOR_S,
        heartbeats: Callable[[], dict[str, dict[str, Any]]] | None = None,
        prefix: str = "",
    ) -> None:
        self._client = client
        self._open_for_s = open_for_s
        self._heartbeats = heartbeats or self._heartbeats_of_ours
        self._prefix = prefix
        self._after = 0
        self._next_at = 0.0

    def step(self, store: Store) -> int:
        """Look at some open runs, at most every ten seconds; returns how many ends were found.

        Raises:
            redis.RedisError: The broker doesn't answer.
        """
        if time.monotonic() < self._next_at:
            return 0
        runs = self._open_runs(store)
        self._after = runs[-1].key if len(runs) == STEP else 0
        if not self._after:
            self._next_at = time.monotonic() + INTERVAL_S
        if not runs:
            return 0
        ends = self._ends(runs)
        store.write(ends)
        ended = {event["uuid"] for event in ends}
        self._judge(store, [run for run in runs if run.id not in ended])
        return len(ends)

    def _open_runs(self, store: Store) -> list[_Open]:
        rows = store.connection.execute(_OPEN, (self._after, time.time() - self._open_for_s, STEP))
        return [_Open(*row) for row in rows]

    def _ends(self, runs: Sequence[_Open]) -> list[Event]:
        pipeline = self._client.pipeline(transaction=False)
        for run in runs:
            pipeline.getrange(f"{self._prefix}{RESULT_KEY}{run.id}", 0, _MAX_META_BYTES - 1)
        replies = pipeline.execute(raise_on_error=False)
        ends = [_end(run, data) for run, data in zip(runs, replies, strict=True) if isinstance(data, bytes) and data]
        return [event for event in ends if event is not None]

    def _judge(self, store: Store, runs: Sequence[_Open]) -> None:
        workers = self._heartbeats()
        verdicts = {run.id: _verdict(run, workers) for run in runs}
        store.judge({run.id: verdicts[run.id] for run in runs if verdicts[run.id] != run.verdict})

    def _heartbeats_of_ours(self) -> dict[str, dict[str, Any]]:
        heartbeats = cast("dict[bytes, bytes]", self._client.hgetall(WORKER_HASH))
        return {name.decode(): _decoded(data) for name, data in heartbeats.items()}


def _verdict(run: _Open, workers: dict[str, dict[str, Any]]) -> str | None:
    if run.state not in {_STARTED, _RECEIVED} or run.worker is None:
        return None
    heartbeat = workers.get(run.worker)
    if heartbeat is None:
        return f"lost? {run.worker} is not online"
    at, started_at = heartbeat.get("timestamp"), heartbeat.get("started_at")
    if isinstance(at, int | float) and time.time() - at > SILENT_FOR_S:
        return f"lost? nothing was heard of {run.worker} since {datetime.fromtimestamp(at, UTC):%H:%M:%S} UTC"
    if isinstance(started_at, int | float) and started_at > run.state_at:
        return f"lost? {run.worker} was started anew at {datetime.fromtimestamp(started_at, UTC):%H:%M:%S} UTC"
    return None


def _decoded(data: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _end(run: _Open, data: bytes) -> Event | None:
    """Make the event that was lost; without the result, which its task may keep private."""
    meta = _decoded(data)
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
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
