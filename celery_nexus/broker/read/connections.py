"""Reading of ``CLIENT LIST``: who is connected to a database, and which connections wait for a message."""

from __future__ import annotations

from typing import Any, cast

import redis
from redis.exceptions import ResponseError

from celery_nexus.rows.diagnosis.connections import Connection, Connections


def read_connections(client: redis.Redis, database: int) -> Connections | None:
    """Read the connections to a database; None when the server does not let its user ask, or has no such command.

    Raises:
        RedisError: It does not answer.
    """
    try:
        rows = cast("list[dict[str, Any]]", client.client_list())
    except ResponseError:  # NoPermissionError is one
        return None
    return Connections(tuple(_connection(row) for row in rows if str(row.get("db")) == str(database)))


def _connection(row: dict[str, Any]) -> Connection:
    library = f"{row.get('lib-name') or ''} {row.get('lib-ver') or ''}".strip()
    return Connection(
        id=_whole(row.get("id")),
        address=str(row.get("addr", "")),
        name=str(row.get("name") or ""),
        command=str(row.get("cmd", "")).partition("|")[0].lower(),
        is_blocked="b" in str(row.get("flags", "")),
        idle_s=_whole(row.get("idle")),
        subscriptions=sum(_whole(row.get(name)) for name in ("sub", "psub", "ssub")),
        library=library,
    )


def _whole(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0
