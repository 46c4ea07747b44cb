"""Find out how a foreign Celery application lays out its keys, from the broker itself."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import cast

import redis
from redis.exceptions import NoPermissionError

from config.broker_url import BrokerUrl
from config.keys import EVENT_STREAM, TRASH_HASH, WORKER_HASH
from nexus_tui.sources.broker.connection import connect, reaching
from nexus_tui.sources.broker.layout import BINDING_SEPARATOR, Layout
from nexus_tui.sources.broker.trash import steps_of

STOCK_STEPS = (0, 3, 6, 9)
"""kombu's default ``priority_steps``."""

MARK = "_kombu.binding."
LOOK_FOR_S = 1.0
SCAN_STEP = 2000
MAX_SEPARATOR = 8


def detect(url: BrokerUrl) -> Layout:
    """Read prefix, separator and priority steps off the keys of a broker; what can't be seen is kombu's default.

    Looks for a second at most, with SCAN. Steps are taken from the lists that exist: a message is never put into a
    list that nobody may be reading.

    Raises:
        Unreachable: The broker does not answer.
        Refused: It answers with an error.
    """
    client = connect(url, attempts=2)
    try:
        with reaching(url):
            return _detect(client)
    finally:
        client.close()


def _detect(client: redis.Redis) -> Layout:
    try:
        return _seen(client)
    except NoPermissionError:  # a user who may not look around: what can't be seen is kombu's default
        return Layout(BINDING_SEPARATOR, STOCK_STEPS, "")


def _seen(client: redis.Redis) -> Layout:
    if client.exists(WORKER_HASH, EVENT_STREAM):
        return Layout()
    bindings = [key for key in _scan(client, f"*{MARK}*") if not _exchange(key).endswith((".pidbox", "celeryev"))]
    if not bindings:
        return Layout(BINDING_SEPARATOR, STOCK_STEPS, "")
    prefix = min((key.partition(MARK)[0] for key in bindings), key=len)
    mine = [key for key in bindings if key.startswith(prefix + MARK)]
    members = {_exchange(key): _texts(cast("Iterable[bytes]", client.smembers(key))) for key in mine}
    separator = _separator(members)
    queues = {member.rpartition(separator)[2] for found in members.values() for member in found}
    seen = {step for queue in queues for step in range(1, 10) if client.exists(f"{prefix}{queue}{separator}{step}")}
    return Layout(separator, _steps(seen | _remembered(client, prefix), separator), prefix)


def _steps(seen: set[int], separator: str) -> tuple[int, ...]:
    """Who has a separator of their own may have steps of their own: only those that were seen are known to be read."""
    is_stock = separator == BINDING_SEPARATOR and seen <= set(STOCK_STEPS)
    return STOCK_STEPS if is_stock else (0, *sorted(seen - {0}))


def _remembered(client: redis.Redis, prefix: str) -> set[int]:
    """Read which lists there were before operators purged them."""
    found: set[int] = set()
    for token, raw in cast("dict[bytes, bytes]", client.hgetall(prefix + TRASH_HASH)).items():
        purged = f"{prefix}{TRASH_HASH}:{token.decode('utf-8', 'replace')}"
        try:
            steps = steps_of(json.loads(raw))
        except (ValueError, AttributeError, RecursionError):
            continue
        found.update(step for step in steps if client.exists(f"{purged}:{step}"))
    return found


def _separator(members: dict[str, list[str]]) -> str:
    """A member is ``routing key, separator, pattern, separator, queue``, and most queues are their routing key."""
    for found in members.values():
        for member in found:
            if BINDING_SEPARATOR in member:
                return BINDING_SEPARATOR
    for found in members.values():
        for member in found:
            for length in range(1, MAX_SEPARATOR + 1):
                name, rest = divmod(len(member) - 2 * length, 2)
                middle = member[name : len(member) - name]
                if name > 0 and not rest and member[:name] == member[-name:] and middle[:length] == middle[length:]:
                    return middle[:length]
    return BINDING_SEPARATOR


def _scan(client: redis.Redis, pattern: str) -> list[str]:
    until = time.monotonic() + LOOK_FOR_S
    found: list[str] = []
    for key in cast("Iterable[bytes]", client.scan_iter(match=pattern, count=SCAN_STEP)):
        found.append(key.decode("utf-8", "replace"))
        if time.monotonic() > until:
            break
    return found


def _exchange(key: str) -> str:
    return key.partition(MARK)[2]


def _texts(raw: Iterable[bytes]) -> list[str]:
    return [item.decode("utf-8", "replace") for item in raw]
