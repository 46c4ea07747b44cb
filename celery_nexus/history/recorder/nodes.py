"""Workers of one database, by the bindings of their mailboxes; other databases' events are filtered out by them."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Sequence
from typing import Any, cast

import redis

from celery_nexus.connection.node_names import read_node_names
from celery_nexus.connection.set_members import read_members

NODES_EVERY_S = 2.0
BINDING = "_kombu.binding."


def works_elsewhere(client: redis.Redis, database: int) -> bool:
    """Tell whether other databases of the server may have workers: also when nobody may ask that."""
    try:
        rows = cast("list[dict[str, Any]]", client.client_list())
    except redis.ResponseError:
        return True
    return any(str(row.get("db")) != str(database) and takes_messages(row) for row in rows)


def takes_messages(connection: dict[str, Any]) -> bool:
    """Tell whether this row of ``CLIENT LIST`` may be a worker's: it subscribed to patterns, or waits at a list."""
    return int(connection.get("psub", 0)) > 0 or str(connection.get("cmd", "")).startswith("brpop")


class Nodes:
    """Tells whose events are those of one application.

    Args:
        client: Redis.
        database: The application's.
        keys: Sets that bind the mailboxes of its workers.
    """

    def __init__(self, client: redis.Redis, database: int, keys: Sequence[str]) -> None:
        self._client = client
        self._database = database
        self._keys = tuple(keys)
        self._names: frozenset[str] = frozenset()
        self._is_alone = False
        self._read_at = -math.inf

    def has(self, worker: object) -> bool:
        """Tell whether a worker is one of the application's.

        Without remote control workers have no mailboxes: then it is, as long as no other database has workers.
        """
        if time.monotonic() - self._read_at >= NODES_EVERY_S:
            self._read_at = time.monotonic()
            with contextlib.suppress(redis.RedisError):  # then as it was read last
                self._read()
        return isinstance(worker, str) and (worker in self._names if self._names else self._is_alone)

    def _read(self) -> None:
        names: set[str] = set()
        for key in self._keys:
            members = read_members(self._client, key)
            names.update(read_node_names(members, key.rpartition(BINDING)[2]))
        self._names = frozenset(names)
        self._is_alone = not names and not works_elsewhere(self._client, self._database)
