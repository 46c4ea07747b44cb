"""Members of sets of any size, read in parts: SMEMBERS of a large one would stop the server until it is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import redis
from redis.exceptions import NoPermissionError, ResponseError

PART = 1_000
"""Members that one command looks at: about a millisecond of the server's time."""


def read_members(client: redis.Redis, key: str) -> set[bytes]:
    """Read the members of one set.

    Raises:
        RedisError: The server does not answer, or refuses.
    """
    [members] = read_all_members(client, [key])
    if isinstance(members, ResponseError):
        raise members
    return members


def read_all_members(client: redis.Redis, keys: Sequence[str]) -> list[set[bytes] | ResponseError]:
    """Read the members of sets; a refusal stands in the place of what may not be read, or is no set.

    Raises:
        RedisError: The server does not answer.
    """
    if not keys:
        return []
    pipeline = client.pipeline(transaction=False)
    for key in keys:
        pipeline.sscan(key, 0, count=PART)
    answers: list[Any] = pipeline.execute(raise_on_error=False)
    return [_complete(client, key, answer) for key, answer in zip(keys, answers, strict=True)]


def _complete(client: redis.Redis, key: str, answer: Any) -> set[bytes] | ResponseError:
    """Read on where the first part was not all; a user who may not SSCAN may use what kombu uses."""
    try:
        if isinstance(answer, NoPermissionError):
            return set[bytes](client.smembers(key))  # pyright: ignore[reportArgumentType]
        if isinstance(answer, ResponseError):
            return answer
        if isinstance(answer, Exception):
            raise answer
        cursor, part = answer
        members = set[bytes](part)
        while cursor:
            more: Any = client.sscan(key, cursor, count=PART)
            cursor, part = more
            members.update(part)
    except ResponseError as refusal:
        return refusal
    return members
