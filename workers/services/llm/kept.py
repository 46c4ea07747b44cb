"""Paid answers, kept by task id, so that the same task run again doesn't pay for them again.

A question is claimed before it is asked, so that a run after a kill knows which of them may have been paid already.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol, cast

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from celery_nexus.connection.redis_client import open_redis
from celery_nexus.task_errors import TransientError
from workers.services.llm.choices import AfterKill

KEEP_S = 72 * 3600
"""Time to live of the answers after the last one came: longer than any message waits to be delivered again."""

KEY_PREFIX = "nexus:ai:answers:"


class Kept(Protocol):
    """Answers of one task id, by field."""

    @property
    def task_id(self) -> str:
        """Whose they are; empty for a call outside a worker."""
        ...

    @property
    def after_kill(self) -> AfterKill:
        """What becomes of a question that was under way when the worker was killed."""
        ...

    def get(self, name: str) -> dict[str, Any] | None:
        """Return what is kept under a name, or None."""
        ...

    def put(self, name: str, value: dict[str, Any]) -> None:
        """Keep a JSON object under a name."""
        ...

    def claim(self, name: str) -> bool:
        """Mark a question as asked; False when it was marked before (and that run did not come back)."""
        ...

    def release(self, name: str) -> None:
        """Take the mark back: the question was not answered and may be asked again."""
        ...


@dataclass
class KeptHere:
    """Answers kept in this process only: for calls outside a worker."""

    answers: dict[str, dict[str, Any]] = field(default_factory=lambda: {})
    claims: set[str] = field(default_factory=lambda: set())
    task_id: str = ""
    after_kill: AfterKill = "report"

    def get(self, name: str) -> dict[str, Any] | None:
        """Return what is kept under a name, or None."""
        return self.answers.get(name)

    def put(self, name: str, value: dict[str, Any]) -> None:
        """Keep a JSON object under a name."""
        self.answers[name] = value

    def claim(self, name: str) -> bool:
        """Mark a question as asked; False when it was marked before."""
        new = name not in self.claims
        self.claims.add(name)
        return new

    def release(self, name: str) -> None:
        """Take the mark back."""
        self.claims.discard(name)


class KeptInRedis:
    """Answers kept in a Redis hash of 72 hours; questions are not kept, only their fingerprints.

    Args:
        url: redis-py's spelling of the broker's address.
        task_id: Whose answers.
        after_kill: What becomes of a question that was under way when the worker was killed.
    """

    def __init__(self, url: str, task_id: str, after_kill: AfterKill = "report") -> None:
        self.task_id = task_id
        self.after_kill: AfterKill = after_kill
        self._client = _client(url)
        self._key = KEY_PREFIX + task_id

    def get(self, name: str) -> dict[str, Any] | None:
        """Return what is kept under a name, or None."""
        (stored,) = self._run(("HGET", self._key, name))
        return None if stored is None else cast("dict[str, Any]", json.loads(stored))

    def put(self, name: str, value: dict[str, Any]) -> None:
        """Keep a JSON object under a name."""
        self._run(("HSET", self._key, name, json.dumps(value)), ("EXPIRE", self._key, KEEP_S))

    def claim(self, name: str) -> bool:
        """Mark a question as asked; False when it was marked before."""
        new, _ = self._run(("HSETNX", self._key, f"asked:{name}", "1"), ("EXPIRE", self._key, KEEP_S))
        return bool(new)

    def release(self, name: str) -> None:
        """Take the mark back."""
        self._run(("HDEL", self._key, f"asked:{name}"))

    def _run(self, *commands: tuple[str | int, ...]) -> list[Any]:
        """Run commands as one transaction."""
        try:
            pipeline = self._client.pipeline(transaction=True)
            for command in commands:
                pipeline.execute_command(*command)
            return pipeline.execute()
        except (redis.RedisError, OSError) as error:
            raise TransientError(f"the broker doesn't keep paid answers ({type(error).__name__})") from None


@lru_cache(maxsize=1)
def _client(url: str) -> redis.Redis:
    """One client a process; what it lost is tried again for some seconds, for an answer in hand is worth a wait."""
    patience = Retry(ExponentialBackoff(cap=2, base=0.1), 5)
    return open_redis(url, decode_responses=True, socket_timeout=5, retry=patience)
