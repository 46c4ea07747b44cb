"""Result backend whose writes survive an outage of the broker; each end it stores has its consequences."""

# Celery's backends have no complete stubs
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownLambdaType=false
from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

import redis
from celery import states
from celery.backends.redis import RedisBackend, SentinelBackend
from celery.exceptions import TaskRevokedError
from celery.utils import functional

from celery_nexus.delivery import refusals, running
from celery_nexus.delivery.ends.chord_records import ChordRecords

_generated: Any = getattr(functional, "_regen")  # noqa: B009  the stubs don't know it
_Base: Any = RedisBackend if TYPE_CHECKING else object
_Redis: Any = RedisBackend
_Sentinel: Any = SentinelBackend

AGAIN_S = 1.0

logger = logging.getLogger(__name__)


class PatientResults(_Base):
    """Waits for the broker where a run runs: its child, thread or greenlet has the result, and nobody else.

    Celery 5.7 reads a run's record before it writes it, and lets the run fail when that reading does: a run whose
    work is done, and whose chain does not go on. Here it is tried again until the broker is back, or the run's
    time limit ends it; its message stays in flight meanwhile. Everybody else gives up as Celery does.
    """

    def ensure(self, fun: Any, args: Any, **policy: Any) -> Any:
        """Try until the broker does it; elsewhere as often as the settings say."""
        return _patiently(lambda: fun(*args)) if running.may_wait() else super().ensure(fun, args, **policy)

    def get(self, key: str) -> Any:
        """Read a record."""
        read: Any = super().get
        return _patiently(lambda: read(key)) if running.may_wait() else read(key)

    def mark_as_revoked(
        self,
        task_id: str,
        reason: str = "",
        request: Any = None,
        store_result: bool = True,
        state: str = states.REVOKED,
    ) -> None:
        """Store that a run was revoked, count its part of a chord, and end what follows it in its chain.

        Celery 5.7 forgets the chain here: whoever waits for its last member, or for the chord that this one is a
        part of, would wait for ever.
        """
        super().mark_as_revoked(task_id, reason, request=request, store_result=store_result, state=state)
        if request:
            chain: Any = getattr(request, "chain", None)
            self._fail_chain(chain, TaskRevokedError(reason), store_result=store_result, state=state)

    @cached_property
    def chord_records(self) -> ChordRecords:
        """What is kept of chords beside their counters."""
        prefix: str = self.group_keyprefix.decode().removesuffix("celery-taskset-meta-")
        return ChordRecords(self.client, prefix, int(self.chord_expires or 0))

    def apply_chord(self, header_result_args: Any, body: Any, **options: Any) -> Any:
        """Begin a chord, with a record of its body and members.

        A chord that was frozen can be begun again under its id. Celery 5.7 forgets that it was over only when the last
        member is published: parts of those before, which may be done by then, would not count. The members of a header
        that is a generator are made one by one as they are published, and are not listed.
        """
        group, members = header_result_args[0], header_result_args[1]
        self.ensure(self.client.delete, (self.get_key_for_group(str(group), ".c"),))
        is_known = isinstance(members, list | tuple) and not isinstance(members, _generated)
        listed = [tuple(_ids(member)) for member in _leaves(members)] if is_known else []
        if body is not None:
            self.chord_records.write(str(group), dict(body), listed)
        return super().apply_chord(header_result_args, body, **options)

    def on_chord_part_return(self, request: Any, state: str, result: Any, **options: Any) -> Any:
        """Note that a part of a chord is done; the last one starts the chord's body."""
        note: Any = super().on_chord_part_return

        def step() -> Any:
            if request.group and request.chord:
                self._keep(request)
            outcome = note(request, state, result, **options)
            if request.group:
                self.chord_records.forget_if_over(request.group)
            return outcome

        return _patiently(step) if running.may_wait() else step()

    def _keep(self, request: Any) -> None:
        """Keep what the chord still needs: its body, and in a chord of groups the results of its members."""
        self.chord_records.write(request.group, dict(request.chord))
        if self.client.exists(self.get_key_for_group(request.group)):
            self.client.expire(self.get_key_for_task(request.id), self._chord_result_expires or self.chord_expires)

    def chord_error_from_stack(self, callback: Any, exc: Any = None) -> Any:
        """Fail a chord's body; one that had begun (a run that was replaced by a chord) fails in the history, too."""
        had_begun = bool(callback.id) and self.get_state(callback.id) == states.STARTED
        outcome = super().chord_error_from_stack(callback, exc=exc)
        record: Any = getattr(self.app.events, "record", None)
        if had_begun and record is not None:
            spelled = f"{type(exc).__name__}({str(exc)!r})"
            record("task-failed", f"chord@{socket.gethostname()}", uuid=callback.id, exception=spelled, traceback="")
        return outcome


class RedisResults(PatientResults, _Redis):
    """Results on one Redis server."""


class SentinelResults(PatientResults, _Sentinel):
    """Results on the server that Sentinels name."""


def _leaves(results: Any) -> Iterator[Any]:
    """Walk through the results of a header: members of nested groups are counted one by one."""
    for result in results:
        nested: Any = getattr(result, "results", None)
        if nested:
            yield from _leaves(nested)
        else:
            yield result


def _ids(result: Any) -> Iterator[str]:
    """List the id of a member, and of the chain that leads to it."""
    while result is not None:
        yield str(result.id)
        result = result.parent


def _patiently(step: Callable[[], Any]) -> Any:
    attempt = 0
    while True:
        try:
            return step()
        except redis.RedisError as error:
            if not refusals.is_for_now(error):
                raise
            problem = error
        if attempt % 60 == 0:
            logger.warning("a result waits for the broker: %s", problem)
        time.sleep(min(attempt, 1) * AGAIN_S)
        attempt += 1
