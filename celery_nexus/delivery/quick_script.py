"""Fast call of a Lua script for every run, without redis-py's overhead, which equals the command's own time.

Retries after a broken connection, and what is raised, are redis-py's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import redis
from redis.exceptions import NoScriptError

Argument = str | bytes | int | float


class QuickScript:
    """A Lua script, called by its digest.

    Args:
        text: What it does.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    def __call__(self, pool: redis.ConnectionPool, keys: Sequence[Argument], args: Sequence[Argument]) -> Any:
        """Run it on a connection of a pool; the server is sent its text when it does not know it.

        Raises:
            RedisError: The server refuses, or does not answer.
        """
        connection: Any = pool.get_connection()

        def connect_anew(_: Exception) -> None:
            connection.disconnect()

        try:
            return connection.retry.call_with_retry(lambda: self._ask(connection, keys, args), connect_anew)
        finally:
            pool.release(connection)

    def _ask(self, connection: Any, keys: Sequence[Argument], args: Sequence[Argument]) -> Any:
        try:
            return _run(connection, "EVALSHA", self._digest, len(keys), *keys, *args)
        except NoScriptError:
            return _run(connection, "EVAL", self._text, len(keys), *keys, *args)


def _run(connection: Any, *command: Argument) -> Any:
    connection.send_packed_command(connection.pack_command(*command))
    return connection.read_response()
