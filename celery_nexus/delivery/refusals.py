"""Temporary refusals of writes by a server: disk or memory full, replicas away."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import redis

_BEGINNINGS = ("MISCONF", "NOREPLICAS", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN")
_IN_PIPELINE = " of pipeline caused error: "
"""Text that redis-py 8.1 writes before the server's words when the command was one of several."""


class WritesRefused(redis.ResponseError):
    """The server takes no writes now, and will later."""


def is_for_now(error: Exception) -> bool:
    """Tell whether the server will do later what it refused, or did not answer to."""
    if isinstance(error, (redis.ConnectionError, redis.TimeoutError, redis.OutOfMemoryError, redis.ReadOnlyError)):
        return True
    return isinstance(error, redis.ResponseError) and _words(error).startswith(_BEGINNINGS)


@contextmanager
def distinguish_refusals() -> Generator[None]:
    """Raise a refusal of a kind that kombu can be told to wait for.

    Raises:
        WritesRefused: The server takes no writes now.
    """
    try:
        yield
    except redis.ResponseError as error:
        if type(error) is redis.ResponseError and is_for_now(error):
            raise WritesRefused(str(error)) from None
        raise


def _words(error: redis.ResponseError) -> str:
    """Return what the server said."""
    return str(error).rpartition(_IN_PIPELINE)[2]
