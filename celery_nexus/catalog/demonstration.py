"""Demonstration work that an application offers for trying a running stack (its setting ``nexus_demonstration``)."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from celery_nexus.errors import NotFound, SourceError, Unreachable
from celery_nexus.rows.catalog import Sent

if TYPE_CHECKING:
    from celery import Celery

Shape = Callable[[], tuple[str, Any]]
"""Sends one piece of work; returns what it is in words, and its result."""


class Demonstration:
    """Sends work to a running stack.

    Args:
        app: The application. Its setting names a function (``module:name``) that is called with the application and a
            source of chance, and returns what can be sent, each with how often compared to the others.
        seed: The same seed sends the same work in the same order.

    Raises:
        NotFound: The application offers none.
    """

    def __init__(self, app: Celery, seed: int = 1) -> None:
        name = str(app.conf.get("nexus_demonstration") or "")
        if not name:
            raise NotFound("this application has no demonstration: submit its own tasks (nexus-tui submit --list)")
        self._app = app
        self._name = name
        self._chance = random.Random(seed)  # noqa: S311  (which task comes next, no secret)

    def send(self, rate_per_s: float, for_s: float | None) -> Iterator[Sent]:
        """Send work until the time is over, and tell each thing that was sent.

        Args:
            rate_per_s: Pieces of work a second; a chain, group or chord is one piece.
            for_s: Seconds, or None until stopped.

        Raises:
            SourceError: What the work needs can't be made.
            Unreachable: The broker does not accept work.
        """
        from kombu.exceptions import OperationalError
        from redis import RedisError

        order = self._order(self._shapes())  # made before the clock starts
        started = time.monotonic()
        for sent, shape in enumerate(order):
            if for_s is not None and time.monotonic() - started >= for_s:
                return
            try:
                what, result = shape()
            except (OperationalError, RedisError) as error:
                raise Unreachable(f"the broker does not accept work ({error}); {sent} were sent before") from None
            yield Sent(sent + 1, what, str(result.id))
            time.sleep(max(0.0, started + (sent + 1) / rate_per_s - time.monotonic()))

    def _shapes(self) -> Sequence[tuple[Shape, int]]:
        from celery.utils.imports import symbol_by_name

        try:
            return symbol_by_name(self._name)(self._app, self._chance)
        except OSError as error:
            raise SourceError(f"can't make {error.filename or 'the documents'}: {error.strerror}") from None

    def _order(self, offered: Sequence[tuple[Shape, int]]) -> Iterator[Shape]:
        """Everything once, so that all of it is soon to be seen; then without end, the usual more often."""
        shapes, weights = zip(*offered, strict=True)
        yield from self._chance.sample(shapes, len(shapes))
        while True:
            yield from self._chance.choices(shapes, weights)
