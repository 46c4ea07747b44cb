"""Imports into the history: rows of an export, or results that a backend still holds.

A run becomes the events that it must have had, so it is counted like any other. A run that is known already is
left as it is: what was recorded is more exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import orjson
import redis

from celery_nexus.connection.keys import RESULT_KEY
from celery_nexus.history.encoding import STATES
from celery_nexus.history.recorder.recorder import hold_lock
from celery_nexus.history.store.event_fields import Event
from celery_nexus.history.store.store import Store
from celery_nexus.privacy.masking import mask, mask_text
from celery_nexus.times import parse_time

BATCH = 500
MAX_META_BYTES = 1_000_000
_SCAN = 1_000

Row = Mapping[str, Any]


@dataclass
class ImportCounts:
    """What became of the rows of an import.

    Attributes:
        taken: Runs that are new in the history.
        known: Runs that it had already.
        bad: Rows that are no run: without an id, a state or a time.
    """

    taken: int = 0
    known: int = 0
    bad: int = 0


def import_runs(path: Path, rows: Iterable[Row | None]) -> ImportCounts:
    """Take runs into a history that nobody writes now.

    Args:
        path: The history's file; made where there is none.
        rows: Runs with the field names of ``nexus-tui export``; None counts as a bad one.

    Raises:
        AlreadyRecording: A recorder writes it.
        HistoryError: A newer version of Nexus wrote it.
        sqlite3.Error: It can't be written; batches before are in it.
    """
    imported = ImportCounts()
    lock = hold_lock(path)
    try:
        store = Store(path)
        try:
            batch: list[Row] = []
            for row in rows:
                if row is None:
                    imported.bad += 1
                    continue
                batch.append(row)
                if len(batch) == BATCH:
                    _take(store, batch, imported)
                    batch.clear()
            _take(store, batch, imported)
        finally:
            store.close()
    finally:
        lock.close()
    return imported


def _take(store: Store, batch: list[Row], imported: ImportCounts) -> None:
    ids = [row.get("id") for row in batch]
    texts = [id_ for id_ in ids if isinstance(id_, str)]
    marks = ", ".join("?" * len(texts))
    known = {row[0] for row in store.connection.execute(f"select id from run where id in ({marks})", texts)}  # noqa: S608
    events: list[Event] = []
    for row in batch:
        id_, life = row.get("id"), build_run_events(row)
        if not life:
            imported.bad += 1
        elif id_ in known:
            imported.known += 1
        else:
            imported.taken += 1
            known.add(cast("str", id_))
            events += life
    store.write(events)


def build_run_events(row: Row) -> list[Event]:
    """Make the events of a run's life, in their order; empty when the row is no run."""
    id_, state = row.get("id"), row.get("state")
    times = {name: _time(row.get(f"{name}_at")) for name in ("sent", "received", "started", "finished")}
    known = [at for at in times.values() if at is not None]
    if not isinstance(id_, str) or not id_ or state not in STATES or not known:
        return []
    base: Event = {"uuid": id_, "hostname": row.get("worker")}
    first = {**base, "name": row.get("task"), "queue": row.get("queue"), "priority": _whole(row.get("priority"))}
    first |= {"args": _mask_value(row.get("args")), "kwargs": _mask_value(row.get("kwargs"))}
    first |= {"root_id": row.get("root_id"), "parent_id": row.get("parent_id"), "group": row.get("group_id")}
    events: list[Event] = []
    if times["sent"] is not None:
        events.append({**first, "type": "task-sent", "timestamp": times["sent"]})
    retries = _whole(row.get("retries")) or 0
    if times["received"] is not None or not events or retries:
        at = times["received"] or min(known)
        events.append({**first, "type": "task-received", "timestamp": at, "retries": retries})
    if times["started"] is not None:
        events.append({**base, "type": "task-started", "timestamp": times["started"]})
    return events + _end(row, base, str(state), times["finished"] or max(known))


def _end(row: Row, base: Event, state: str, at: float) -> list[Event]:
    error, trace = str(row.get("error") or ""), str(row.get("traceback") or "")
    kind, _, message = error.partition(": ")
    failed = {"exception": f"{kind or 'Error'}({message!r})", "traceback": trace}
    match state:
        case "SUCCESS":
            result = row.get("result")
            told: Event = {"result_json": _json(result)} if result is not None else {}
            ran_s = row.get("ran_s")
            return [{**base, **told, "type": "task-succeeded", "timestamp": at, "runtime": _number(ran_s)}]
        case "FAILURE":
            return [{**base, **failed, "type": "task-failed", "timestamp": at}]
        case "RETRY":
            return [{**base, **failed, "type": "task-retried", "timestamp": at}]
        case "REVOKED":
            return [{**base, "type": "task-revoked", "timestamp": at}]
        case "REJECTED":
            return [{**base, "type": "task-rejected", "timestamp": at}]
        case _:
            return []


def read_backend_rows(client: redis.Redis, prefix: str = "", *, with_results: bool = False) -> Iterator[Row | None]:
    """Read the runs whose results a Redis backend holds; None for what is no result of Celery.

    Args:
        client: Redis.
        prefix: Put before the keys (``global_keyprefix``).
        with_results: Also what runs returned; our own tasks may keep that private.

    Raises:
        redis.RedisError: It doesn't answer.
    """
    keys: list[bytes] = []
    for key in cast("Iterable[bytes]", client.scan_iter(match=f"{_escape_pattern(prefix)}{RESULT_KEY}*", count=_SCAN)):
        keys.append(key)
        if len(keys) == BATCH:
            yield from _metas(client, keys, with_results=with_results)
            keys.clear()
    yield from _metas(client, keys, with_results=with_results)


def _metas(client: redis.Redis, keys: list[bytes], *, with_results: bool) -> Iterator[Row | None]:
    pipeline = client.pipeline(transaction=False)
    for key in keys:
        pipeline.getrange(key.decode("utf-8", "surrogateescape"), 0, MAX_META_BYTES - 1)
    for data in pipeline.execute(raise_on_error=False):
        yield _row(data, with_results=with_results) if isinstance(data, bytes) else None


def _row(data: bytes, *, with_results: bool) -> Row | None:
    try:
        value: Any = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(value, dict):
        return None
    meta = cast("dict[str, Any]", value)
    row = {
        "id": meta.get("task_id"), "state": meta.get("status"), "finished_at": meta.get("date_done"),
        "task": meta.get("name"), "worker": meta.get("worker"), "queue": meta.get("queue"),
        "retries": meta.get("retries"), "parent_id": meta.get("parent_id"), "group_id": meta.get("group_id"),
        "args": mask(meta.get("args")), "kwargs": mask(meta.get("kwargs")),
    }  # fmt: skip
    result = meta.get("result")
    if row["state"] == "SUCCESS" and with_results:
        row["result"] = mask(result)
    elif isinstance(result, dict) and row["state"] in {"FAILURE", "RETRY"}:
        error = cast("dict[str, Any]", result)
        message = error.get("exc_message")
        texts = cast("list[Any]", message) if isinstance(message, list) else [message]
        row["error"] = mask_text(f"{error.get('exc_type') or 'Error'}: {', '.join(str(text) for text in texts)}")
        row["traceback"] = mask_text(str(meta.get("traceback") or ""))
    return row


def _escape_pattern(prefix: str) -> str:
    return "".join(f"\\{letter}" if letter in "[]*?^\\" else letter for letter in prefix)


def _time(value: Any) -> float | None:
    at = parse_time(value)
    return None if at is None else at.timestamp()


def _number(value: Any) -> float | None:
    try:
        return None if value in (None, "") or isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _whole(value: Any) -> int | None:
    number = _number(value)
    return int(number) if number is not None and number.is_integer() else None


def _mask_value(value: Any) -> Any:
    return value if value is None or isinstance(value, str) else orjson.loads(_json(value))


def _json(value: Any) -> str:
    try:
        return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except (TypeError, ValueError):  # an integer over 64 bits, a lone surrogate
        return orjson.dumps(ascii(value)).decode()
