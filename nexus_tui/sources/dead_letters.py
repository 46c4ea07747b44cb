"""Dead letters, as operators see and change them."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import redis

from config.broker_url import BrokerUrl
from nexus_tui.models.actions import TargetOutcome
from nexus_tui.models.dead_letters import DeadLetter
from nexus_tui.sources.errors import NotFound, Unreachable
from workers.delivery import dead_letters as store

TIMEOUT_S = 5.0


class DeadLetterSource:
    """Reads and changes the dead letters of one broker.

    Args:
        url: The broker.
    """

    def __init__(self, url: BrokerUrl) -> None:
        self._url = url
        client = redis.Redis.from_url(url.redis_py, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
        self._letters = store.DeadLetters(client)

    def list(self, limit: int = 100) -> tuple[DeadLetter, ...]:
        """List the newest first, without their bytes."""
        with self._reached():
            return tuple(_row(letter) for letter in self._letters.list(limit))

    def show(self, letter_id: str) -> DeadLetter:
        """Show one, by its id or its run's.

        Raises:
            NotFound: There is none.
        """
        with self._reached():
            letter = self._letters.get(letter_id)
        if letter is None:
            raise NotFound(f"no dead letter {letter_id!r}")
        return _row(letter)

    def retry(self, letter_id: str) -> TargetOutcome:
        """Put one back into its queue, last in its priority."""
        with self._reached():
            try:
                done = self._letters.retry(letter_id)
            except store.CanNotRetry as problem:
                return TargetOutcome(letter_id, False, str(problem))
        return _outcome(letter_id, done, "back in its queue")

    def drop(self, letter_id: str) -> TargetOutcome:
        """Delete one for good."""
        with self._reached():
            return _outcome(letter_id, self._letters.drop(letter_id), "dropped")

    @contextmanager
    def _reached(self) -> Generator[None]:
        try:
            yield
        except (redis.RedisError, OSError) as error:
            raise Unreachable(f"no answer from {self._url.masked}: {error}") from None


def _outcome(letter_id: str, done: bool, message: str) -> TargetOutcome:
    return TargetOutcome(letter_id, done, message if done else "no such dead letter", is_missing=not done)


def _row(letter: store.DeadLetter) -> DeadLetter:
    fields: dict[str, Any] = {field.name: getattr(letter, field.name) for field in dataclasses.fields(letter)}
    fields["at"] = datetime.fromtimestamp(letter.at, UTC)
    return DeadLetter(**fields)
