"""Probes of what has one instance or few: broker, beat, recorder, guardian."""

from __future__ import annotations

import time
from typing import Any, cast

from celery_nexus.connection.keys import (
    BEAT_LOCK,
    EVENT_STREAM,
    GUARDIAN_BEAT,
    RECORDER_BEAT,
    RECORDER_BEAT_FOR_S,
    RECORDER_TROUBLE,
)
from celery_nexus.connection.other_brokers import IS_CLUSTER
from celery_nexus.connection.plain_connection import PlainConnection, Refusal
from celery_nexus.errors import Refused
from celery_nexus.probe.answer import Answer

LATE_S = 330.0
"""RedBeat looks at its schedule every five minutes at least; an entry that is due for longer was not seen by any."""

RECORDER_SILENT_S = 10.0
RECORDER_BEHIND_S = 10.0

START_RECORDER = "python -m celery_nexus.history.recorder -A APPLICATION"
START_GUARDIAN = "python -m celery_nexus.delivery.guardian -A APPLICATION"
NO_TRACE = (
    "no beat leaves a trace at this broker: Celery's own scheduler keeps its schedule in a file, django-celery-beat in "
    "a database. Let the platform watch its process, or keep the schedule in Redis: celery beat -S "
    "redbeat.RedBeatScheduler (another key: --lock KEY)"
)


def probe_broker(server: PlainConnection) -> Answer:
    """Tell whether the broker takes messages.

    Raises:
        Unreachable: It does not answer.
        Refused: It lets this user ask nothing at all.
    """
    pong, raw = server.ask(("PING",), ("INFO",))
    if isinstance(pong, Refusal):
        raise Refused(f"broker {server.url.masked} refuses: {pong}")
    if isinstance(raw, Refusal):
        return Answer.well("the broker answers; its user may not see more (INFO)")
    info = read_info(raw)
    trouble = find_broker_trouble(info)
    if trouble:
        return Answer.broken(trouble)
    kind = info.get("server_name") or "redis"
    return Answer.well(f"{kind} {info.get(f'{kind}_version') or info.get('redis_version', '?')} takes messages")


def find_broker_trouble(info: dict[str, str]) -> str:
    """Say why a server takes no messages; empty when it does."""
    if info.get("loading") == "1":
        return "the broker is loading its data, and answers nothing else until then"
    if info.get("cluster_enabled") == "1":
        return IS_CLUSTER
    if info.get("role") != "master":
        kind = "replica" if info.get("role") == "slave" else info.get("role", "?")
        return f"the broker is a {kind}, which refuses every message: name its primary"
    if info.get("aof_enabled") == "1" and info.get("aof_last_write_status") == "err":
        return "the broker refuses every message: its append-only file can't be written; make room on its disk"
    limit, used = int(info.get("maxmemory", "0")), int(info.get("used_memory", "0"))
    if 0 < limit <= used and info.get("maxmemory_policy") == "noeviction":
        return f"the broker refuses every message: {used / 1e6:,.0f} of {limit / 1e6:,.0f} MB are used; raise maxmemory"
    return ""


def read_info(raw: bytes) -> dict[str, str]:
    """Read what ``INFO`` answers."""
    lines = (line.partition(":") for line in raw.decode("utf-8", "replace").splitlines())
    return {name: value for name, found, value in lines if found}


def probe_beat(server: PlainConnection, prefix: str = "", lock: str = BEAT_LOCK) -> Answer:
    """Tell whether a beat publishes what is due.

    Args:
        server: Where the schedule is kept.
        prefix: What the names of the application's keys begin with.
        lock: Key of RedBeat's lock.

    Raises:
        Unreachable: The broker does not answer.
        Refused: Its user may not read these keys.
    """
    schedule = f"{prefix}{lock.removesuffix('lock')}schedule"
    answers = server.ask(("PTTL", prefix + lock), ("ZRANGE", schedule, 0, 0, "WITHSCORES"), ("TIME",))
    refused = next((answer for answer in answers if isinstance(answer, Refusal)), None)
    if refused is not None:
        return Answer.unknown(f"its user may not read {prefix}{lock}: {refused}")
    left_ms, first, clock = answers
    return judge_beat(prefix + lock, int(left_ms), cast("list[bytes]", first), _now(clock))


def judge_beat(lock: str, left_ms: int, first: list[bytes], now: float) -> Answer:
    """Judge beat by its lock and by the entry that is due first.

    Args:
        lock: Name of the lock's key.
        left_ms: What is left of it; -2 when nobody holds it, -1 when it never ends.
        first: Key and due time of the first entry; empty for none.
        now: By the broker's clock.
    """
    if left_ms == -2:
        return Answer.broken(f"no beat holds {lock}: start celery beat") if first else Answer.unknown(NO_TRACE)
    late_s = now - float(first[1]) if first else 0.0
    if late_s > LATE_S:
        name = first[0].decode("utf-8", "replace")
        return Answer.broken(f"a beat holds {lock}, and {name} is late by {late_s:,.0f} s: restart celery beat")
    lasts = "" if left_ms < 0 else f" for {left_ms / 1000:.0f} s more unless it renews it"
    return Answer.well(f"a beat holds {lock}{lasts}")


def probe_recorder(server: PlainConnection, prefix: str = "") -> Answer:
    """Tell whether our recorder writes the history.

    Raises:
        Unreachable: The broker does not answer.
        Refused: Its user may not read these keys.
    """
    names = (RECORDER_TROUBLE, RECORDER_BEAT)
    trouble, cursor, left_ms, clock = (
        _allowed(answer)
        for answer in server.ask(*(("GET", prefix + name) for name in names), ("PTTL", prefix + names[1]), ("TIME",))
    )
    if trouble is not None:
        return Answer.broken(f"nothing is recorded: {trouble.decode('utf-8', 'replace')}")
    if cursor is None:
        return Answer.broken(
            "no recorder has given a sign of life: python -m celery_nexus.history.recorder -A APPLICATION"
        )
    silent_s = RECORDER_BEAT_FOR_S - int(left_ms) / 1000
    if silent_s > RECORDER_SILENT_S:
        return Answer.broken(f"the recorder gave no sign of life for {silent_s:,.0f} s: restart it")
    entries = _allowed(server.ask(("XRANGE", prefix + EVENT_STREAM, b"(" + cursor, "+", "COUNT", 1))[0])
    behind_s = max(0.0, _now(clock) - int(entries[0][0].partition(b"-")[0]) / 1000) if entries else 0.0
    if behind_s > RECORDER_BEHIND_S:
        return Answer.broken(f"the recorder is {behind_s:,.0f} s behind")
    return Answer.well(f"the recorder gave a sign of life {silent_s:.0f} s ago")


def probe_guardian(server: PlainConnection, prefix: str = "") -> Answer:
    """Tell whether our guardian looks after the workers' leases.

    Raises:
        Unreachable: The broker does not answer.
        Refused: Its user may not read that key.
    """
    if _allowed(server.ask(("EXISTS", prefix + GUARDIAN_BEAT))[0]):
        return Answer.well("the guardian looks after the workers")
    return Answer.broken(f"no guardian has looked lately: {START_GUARDIAN}")


def _allowed(answer: Any) -> Any:
    if isinstance(answer, Refusal):
        raise Refused(f"the broker refuses: {answer}")
    return answer


def _now(clock: Any) -> float:
    return time.time() if isinstance(clock, Refusal) else float(clock[0]) + float(clock[1]) / 1e6
