"""Why nothing is recorded now: said by the recorder, read by whoever looks at the history."""

from __future__ import annotations

import contextlib
from typing import cast

import redis

from config.keys import RECORDER_TROUBLE

TROUBLE_FOR_S = 60


def tell_trouble(client: redis.Redis, what: str) -> None:
    """Say in Redis why nothing is recorded now, for those who look at the history."""
    with contextlib.suppress(redis.RedisError, OSError):
        client.set(RECORDER_TROUBLE, what[:500], ex=TROUBLE_FOR_S)


def trouble(client: redis.Redis) -> str | None:
    """Return why nothing is recorded now, in one line; None when all is well.

    Raises:
        redis.RedisError: The broker doesn't answer.
    """
    text = cast("bytes | None", client.get(RECORDER_TROUBLE))
    return None if text is None else text.decode("utf-8", "replace").replace("\n", " ")
