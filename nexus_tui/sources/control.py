"""Workers: who is alive, what each does, and orders to them (Celery's remote control and heartbeats)."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from config.broker_url import BrokerUrl
from config.keys import ORDERS_HASH, WORKER_HASH
from config.settings import settings
from nexus_tui.models.workers import Worker
from nexus_tui.sources.answers import an_object, as_ours, described, obeyed, task_and_rate
from nexus_tui.sources.broker.connection import connect, reaching
from nexus_tui.sources.broker.layout import Layout
from nexus_tui.sources.errors import Invalid
from nexus_tui.sources.mailbox import Command, Mailbox

ANSWER_TIMEOUT_S = 0.5
PING_TIMEOUT_S = 1.0
ORDER_TIMEOUT_S = 3.0
PING_EVERY_S = 5.0
PING_SELDOM_S = 30.0
"""After a ping that had to wait for a worker that does not answer."""
SILENT_AFTER_S = 10.0
"""Heartbeats come every 2 s; so long without one is no accident."""

FORGOTTEN_AFTER_S = 24 * 3600.0
"""A worker that died without a word is listed for so long."""

_STOCK = (Command("stats", {}), Command("active", {}), Command("reserved", {}), Command("active_queues", {}))
_SIGNALS = frozenset({"SIGTERM", "SIGKILL", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGHUP"})


def _application_of(url: BrokerUrl) -> Any | None:
    """Our own application when it is the one on this broker; of a foreign one the result backend is unknown."""
    if settings().broker != url:
        return None
    from config.celery_config import celery_app

    return celery_app


class ControlSource:
    """Asks and orders the workers of one Celery application. May be shared by threads.

    Args:
        url: The broker.
        layout: How the application names its keys.
        application: Gives the Celery application whose result backend keeps states; by default ours, when this is
            its broker. A foreign one's states are left to its workers.
    """

    def __init__(
        self, url: BrokerUrl, *, layout: Layout | None = None, application: Callable[[], Any] | None = None
    ) -> None:
        self.url = url
        self._layout = layout or Layout()
        self._client = connect(url)
        self._mailbox = Mailbox(self._client, self._layout, url.database)
        self._application = application or (lambda: _application_of(url))
        self._lock = threading.Lock()
        self._found: tuple[str, ...] = ()
        self._ping_at: float | None = None
        self._consumers: dict[str, tuple[str, ...]] | None = None

    def workers(self) -> tuple[Worker, ...]:
        """Describe every known worker; one that does not answer is ``silent``, unknown figures are None."""
        with reaching(self.url):
            beats = self._heartbeats()
            now = time.time()
            fresh = [name for name, beat in beats.items() if now - beat["timestamp"] <= SILENT_AFTER_S]
            foreign = [name for name in self._discovered(bool(fresh)) if name not in beats]
            answers = self._ask_ours(fresh) | self._ask_foreign(foreign)
        rows = [described(name, beats.get(name), answers.get(name), now) for name in sorted({*beats, *foreign})]
        self._learn(rows)
        return tuple(rows)

    def consumers(self) -> dict[str, tuple[str, ...]] | None:
        """Name the workers of each queue, as of the last :meth:`workers`; None before the first."""
        with self._lock:
            return self._consumers

    def whereabouts(self, run_ids: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Find who holds runs: id → (``active``, ``reserved`` or ``scheduled``; worker). Only what is held is named."""
        if not run_ids:
            return {}
        with reaching(self.url):
            command = Command("query_task", {"ids": list(run_ids)})
            answers = self._mailbox.ask([command], None, PING_TIMEOUT_S)[0]
        held: dict[str, tuple[str, str]] = {}
        for name, answer in answers.items():
            for run_id, told in an_object(answer).items():
                if isinstance(told, list) and told and told[0] in ("active", "reserved", "scheduled"):
                    held[run_id] = (str(cast("list[Any]", told)[0]), name)
        return held

    @staticmethod
    def check_signal(signal: str) -> None:
        """Make sure that a signal ends a process.

        Raises:
            Invalid: It is none of those.
        """
        if signal not in _SIGNALS:
            raise Invalid(f"signal {signal!r}: give one of {', '.join(sorted(_SIGNALS))}")

    def revoke(self, run_ids: Sequence[str], *, terminate: bool = False, signal: str = "SIGTERM") -> dict[str, str]:
        """Tell all workers to discard runs; with ``terminate`` also to end the process of those that run.

        Returns:
            What each worker answered, in its own words; workers that did not answer in time are left out.

        Raises:
            Invalid: The signal is none that ends a process.
        """
        self.check_signal(signal)
        arguments = {"task_id": list(run_ids), "terminate": terminate, "signal": signal}
        with reaching(self.url):
            told = self._mailbox.ask([Command("revoke", arguments)], None, PING_TIMEOUT_S)[0]
        return {name: json.dumps(answer) for name, answer in told.items()}

    def registered(self, workers: Sequence[str]) -> dict[str, dict[str, str]]:
        """Name the tasks that workers know, each with its rate limit there ('' for none)."""
        if not workers:
            return {}
        command = Command("registered", {"taskinfoitems": ["rate_limit"], "builtins": True})
        with reaching(self.url):
            told = self._mailbox.ask([command], list(workers), PING_TIMEOUT_S)[0]
        return {
            name: dict(map(task_and_rate, cast("list[object]", answer)))
            for name, answer in told.items()
            if isinstance(answer, list)
        }

    def order(
        self, command: Command, workers: Sequence[str], heard: Callable[[str, bool, str], None] | None = None
    ) -> dict[str, tuple[bool, str]]:
        """Order known workers to do something.

        Args:
            command: One of Celery's control commands.
            workers: Their node names.
            heard: Called with each answer as it comes: worker, whether it obeys, its words.

        Returns:
            Whether each obeys, and its words; a worker that did not answer within the time is left out.
        """

        def told(name: str, answer: object) -> None:
            if heard is not None:
                heard(name, *obeyed(answer))

        with reaching(self.url):
            answers = self._mailbox.ask([command], list(workers), ORDER_TIMEOUT_S, told)[0]
        return {name: obeyed(answer) for name, answer in answers.items()}

    def tell(self, command: Command, workers: Sequence[str]) -> None:
        """Order known workers to do something that they can't answer any more: to shut down."""
        with reaching(self.url):
            self._mailbox.cast(command, list(workers))

    def remember(self, order: str, told: Mapping[str, Any] | None) -> None:
        """Keep an order in Redis, where workers read it when they start; None forgets it."""
        key = self._layout.named(ORDERS_HASH)
        with reaching(self.url):
            if told is None:
                self._client.hdel(key, order)
            else:
                self._client.hset(key, order, json.dumps({**told, "at": time.time()}))

    def remembered(self) -> dict[str, dict[str, Any]]:
        """List the orders that workers obey again when they start."""
        with reaching(self.url):
            raw = cast("dict[bytes, bytes]", self._client.hgetall(self._layout.named(ORDERS_HASH)))
        found: dict[str, dict[str, Any]] = {}
        for name, text in sorted(raw.items()):
            try:
                found[name.decode("utf-8", "replace")] = an_object(json.loads(text))
            except (ValueError, RecursionError):
                continue
        return found

    def set_consuming(self, queue: str, workers: Sequence[str], *, consume: bool) -> tuple[str, ...]:
        """Tell workers to begin or stop consuming a queue; return those that confirmed it."""
        if not workers:
            return ()
        command = Command("add_consumer" if consume else "cancel_consumer", {"queue": queue})
        with reaching(self.url):
            return tuple(sorted(self._mailbox.ask([command], list(workers), PING_TIMEOUT_S)[0]))

    def set_events(self, workers: Sequence[str], *, send: bool) -> dict[str, bool]:
        """Tell workers, or all with an empty list, to begin or stop sending events of their runs.

        Returns:
            By the name of each worker that answered: whether this changed anything.
        """
        command = Command("enable_events" if send else "disable_events", {})
        with reaching(self.url):
            answers = self._mailbox.ask([command], list(workers) or None, PING_TIMEOUT_S)[0]
        return {name: "already" not in str(an_object(answer).get("ok", "already")) for name, answer in answers.items()}

    def result_state(self, run_id: str) -> str | None:
        """Read a run's state from the result backend; None when it has none or there is no backend to ask."""
        application = self._application()
        if application is None:
            return None
        with reaching(self.url):
            meta = cast("dict[str, Any]", application.backend.get_task_meta(run_id))
        state = str(meta.get("status", "PENDING"))
        return None if state == "PENDING" else state

    def store_revoked(self, run_ids: Sequence[str]) -> None:
        """Write REVOKED to the result backend, so that who waits for the result learns it."""
        application = self._application()
        if application is None:
            return
        with reaching(self.url):
            for run_id in run_ids:
                application.backend.mark_as_revoked(run_id, "revoked by an operator", store_result=True)

    def _heartbeats(self) -> dict[str, dict[str, Any]]:
        raw = cast("dict[bytes, bytes]", self._client.hgetall(self._layout.named(WORKER_HASH)))
        beats: dict[str, dict[str, Any]] = {}
        for name, text in raw.items():
            try:
                beat = an_object(json.loads(text))
            except (ValueError, RecursionError):
                continue
            stamp = beat.get("timestamp")
            # A clock ahead of ours is believed up to the same bound.
            if isinstance(stamp, int | float) and abs(time.time() - stamp) < FORGOTTEN_AFTER_S:
                beats[name.decode("utf-8", "replace")] = beat
        return beats

    def _discovered(self, some_are_known: bool) -> tuple[str, ...]:
        """Names that answered the last broadcast ping; when some workers are known anyway, the first is put off."""
        now = time.monotonic()
        with self._lock:
            if self._ping_at is None and some_are_known:
                self._ping_at = now
                return self._found
            if self._ping_at is not None and now < self._ping_at:
                return self._found
            self._ping_at = now + PING_EVERY_S
        found = tuple(self._mailbox.ask([Command("ping", {})], None, PING_TIMEOUT_S)[0])
        with self._lock:
            self._found = found
            if time.monotonic() - now >= PING_TIMEOUT_S:
                self._ping_at = now + PING_SELDOM_S
            return self._found

    def _ask_ours(self, names: list[str]) -> dict[str, dict[str, Any]]:
        if not names:
            return {}
        answers = self._mailbox.ask([Command("nexus_stats", {})], names, ANSWER_TIMEOUT_S)[0]
        return {name: an_object(answer) for name, answer in answers.items() if "pid" in an_object(answer)}

    def _ask_foreign(self, names: list[str]) -> dict[str, dict[str, Any]]:
        if not names:
            return {}
        stats, active, reserved, queues = self._mailbox.ask(_STOCK, names, ANSWER_TIMEOUT_S)
        return {
            name: as_ours(an_object(told), active.get(name), reserved.get(name), queues.get(name))
            for name, told in stats.items()
        }

    def _learn(self, rows: Sequence[Worker]) -> None:
        consumers: dict[str, list[str]] = {}
        for row in rows:
            if row.verdict != "silent":
                for queue in row.queues:
                    consumers.setdefault(queue, []).append(row.name)
        with self._lock:
            self._consumers = {queue: tuple(names) for queue, names in consumers.items()}
