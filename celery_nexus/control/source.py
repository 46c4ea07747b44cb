"""Source of workers: their liveness and work, and orders to them (remote control and heartbeats)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from celery_nexus.application_code import NO_CODE, ApplicationCode
from celery_nexus.broker.wire.connection import connect, translate_errors
from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.connection.keys import ORDERS_HASH
from celery_nexus.control.answers import read_order_answer, task_and_rate, to_object
from celery_nexus.control.channels import Listening
from celery_nexus.control.configuration import Configuration
from celery_nexus.control.foreign_results import ForeignResults
from celery_nexus.control.mailbox import Command
from celery_nexus.control.roster import Roster
from celery_nexus.control.versions import read_versions
from celery_nexus.delivery.layout import Layout
from celery_nexus.delivery.remembering import broker_now
from celery_nexus.errors import Invalid, Refused
from celery_nexus.rows.workers import Worker

if TYPE_CHECKING:
    from celery_nexus.broker import BrokerSource

PING_TIMEOUT_S = 1.0
ORDER_TIMEOUT_S = 3.0
_SIGNALS = frozenset({"SIGTERM", "SIGKILL", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGHUP"})


class ControlSource:
    """Asks and orders the workers of one Celery application. May be shared by threads.

    Args:
        url: The broker.
        layout: How our application names its keys.
        foreign: The source of applications that are not ours: tells how each names its keys, and learns it.
        code: The application's code, whose result backend keeps states.
        results: Where an application without code keeps its results; None: on its broker.
    """

    def __init__(
        self,
        url: BrokerUrl,
        *,
        layout: Layout | None = None,
        code: ApplicationCode = NO_CODE,
        foreign: BrokerSource | None = None,
        results: BrokerUrl | None = None,
    ) -> None:
        self.url = url
        self._client = connect(url)
        self._own = layout or Layout()
        self._roster = Roster(self._client, url.database, self._own, foreign)
        self._mailboxes = self._roster.mailboxes
        self._is_foreign = foreign is not None
        self._results = foreign and ForeignResults(
            self._client if results is None else connect(results),
            results or url,
            lambda: foreign.layouts,
            self.configuration,
        )
        self._code = code
        if foreign is not None:
            foreign.ask_layout = self.learn_layout
            self._roster.kind_of_results = lambda: self._results.kind() if self._results else None

    def workers(self) -> tuple[Worker, ...]:
        """Describe every known worker; one that does not answer is ``silent``, unknown figures are None."""
        with translate_errors(self.url):
            return self._roster.read()

    def expire_replies(self) -> None:
        """Let answers of workers expire that came when nobody waited for them any more."""
        with translate_errors(self.url):
            self._mailboxes.expire_replies()

    def ask_anew(self) -> frozenset[str]:
        """Let the next :meth:`workers` ask who is there; returns who did not answer the last one."""
        self._roster.ask_anew()
        return frozenset(self._roster.presence.list_missed())

    def list_dismissed(self, known: Iterable[str]) -> tuple[str, ...]:
        """Name the mailboxes that are bound on the broker and belong to none of the known workers."""
        with translate_errors(self.url):
            return self._roster.list_dismissed(known)

    def clocks(self) -> dict[str, float]:
        """Tell how many seconds each worker's clock is ahead of the broker's; negative when it is behind.

        A worker answers at some moment between question and answer: what may be due to that counts as none.
        """
        with translate_errors(self.url):
            names = self._roster.names()
            before = broker_now(self._client)
            answers = self._mailboxes.ask([Command("nexus_stats", {})], names, PING_TIMEOUT_S)[0] if names else {}
            after = broker_now(self._client)
        told = {name: to_object(answer).get("time") for name, answer in answers.items()}
        return {
            name: at - min(max(at, before), after) for name, at in sorted(told.items()) if isinstance(at, int | float)
        }

    def hear_clocks(self) -> dict[str, float]:
        """Tell how many seconds the clocks of another application's workers are ahead of ours, by their heartbeats.

        Takes as long as heartbeats are apart. One may be on its way for a moment, so that a clock seems to be behind.
        """
        channels, found = self._mailboxes.channels, dict[str, float]()
        if channels is None:
            return found
        with translate_errors(self.url):
            for layout in self._roster.layouts():
                for name, beat in channels.hear(layout).items():
                    sent_at = beat.event.get("timestamp")
                    if isinstance(sent_at, int | float):
                        found[self._mailboxes.name_shown(layout, name)] = sent_at - beat.heard_at
        return found

    def consumers(self) -> dict[str, tuple[str, ...]] | None:
        """Name the workers of each queue, as of the last :meth:`workers`; None before, or when not all say it."""
        return self._roster.consumers

    def configuration(self, layout: Layout) -> Configuration | None:
        """Return what the workers of an application said of its configuration; None when none was asked or told."""
        return self._roster.configuration(layout)

    def learn_layout(self) -> None:
        """Let workers of another application say how they lay out their keys, unless they did."""
        with translate_errors(self.url):
            self._roster.learn_layout()

    def find_event_channels(self, prefix: str | None) -> Listening | None:
        """Find where events of another application are heard; None for ours.

        Args:
            prefix: Of the application; None for all that are there or come.
        """
        channels, layouts = self._mailboxes.channels, self._roster.layouts()
        return None if channels is None else channels.of_events(layouts, any_prefix=prefix is None)

    def find_holders(self, run_ids: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Find who holds runs: id → (``active``, ``reserved`` or ``scheduled``; worker). Only what is held is named."""
        return {
            run_id: place
            for run_id, place in self._query_runs(run_ids).items()
            if place[0] in ("active", "reserved", "scheduled")
        }

    def find_known_runs(self, run_ids: Sequence[str]) -> frozenset[str]:
        """Tell which runs a worker knows at all: also those that it holds back for a rate limit or until their time."""
        return frozenset(self._query_runs(run_ids))

    def _query_runs(self, run_ids: Sequence[str]) -> dict[str, tuple[str, str]]:
        if not run_ids:
            return {}
        with translate_errors(self.url):
            command = Command("query_task", {"ids": list(run_ids)})
            answers = self._mailboxes.ask([command], None, PING_TIMEOUT_S)[0]
        return {
            run_id: (str(cast("list[Any]", told)[0]), name)
            for name, answer in answers.items()
            for run_id, told in to_object(answer).items()
            if isinstance(told, list) and told
        }

    def list_versions(self, workers: Sequence[str]) -> dict[str, Mapping[str, str]]:
        """Ask workers for the versions of celery, kombu, redis … that they run."""
        if not workers:
            return {}
        with translate_errors(self.url):
            told = self._mailboxes.ask([Command("report", {})], list(workers), PING_TIMEOUT_S)[0]
        return {name: versions for name, answer in told.items() if (versions := read_versions(answer))}

    def count_revoked(self, workers: Sequence[str]) -> dict[str, int]:
        """Ask workers how many revoked runs they remember; each answers with all of them, so ask few."""
        if not workers:
            return {}
        with translate_errors(self.url):
            told = self._mailboxes.ask([Command("revoked", {})], list(workers), PING_TIMEOUT_S)[0]
        return {name: len(cast("list[Any]", ids)) for name, ids in told.items() if isinstance(ids, list)}

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
        with translate_errors(self.url):
            told = self._mailboxes.ask([Command("revoke", arguments)], None, PING_TIMEOUT_S)[0]
        return {name: json.dumps(answer, default=str) for name, answer in told.items()}

    def list_registered_tasks(self, workers: Sequence[str]) -> dict[str, dict[str, str]]:
        """Name the tasks that workers know, each with its rate limit there ('' for none)."""
        if not workers:
            return {}
        command = Command("registered", {"taskinfoitems": ["rate_limit"], "builtins": True})
        with translate_errors(self.url):
            told = self._mailboxes.ask([command], list(workers), PING_TIMEOUT_S)[0]
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

        def hear(name: str, answer: object) -> None:
            if heard is not None:
                heard(name, *read_order_answer(answer))

        with translate_errors(self.url):
            answers = self._mailboxes.ask([command], list(workers), ORDER_TIMEOUT_S, hear)[0]
        return {name: read_order_answer(answer) for name, answer in answers.items()}

    def tell(self, command: Command, workers: Sequence[str]) -> None:
        """Order known workers to do something that they can't answer any more: to shut down."""
        with translate_errors(self.url):
            self._mailboxes.cast(command, list(workers))

    def remember(self, order: str, told: Mapping[str, Any] | None) -> None:
        """Keep an order in Redis, where our workers read it when they start; None forgets it.

        Raises:
            Refused: Workers of another application would never read it.
        """
        if self._is_foreign:
            raise Refused("workers of another application remember nothing: the order holds until they restart")
        key = self._own.add_prefix(ORDERS_HASH)
        with translate_errors(self.url):
            if told is None:
                self._client.hdel(key, order)
            else:
                self._client.hset(key, order, json.dumps({**told, "at": time.time()}))

    def list_standing_orders(self) -> dict[str, dict[str, Any]]:
        """List the orders that workers obey again when they start; those of another application obey none."""
        if self._is_foreign:
            return {}
        with translate_errors(self.url):
            raw = cast("dict[bytes, bytes]", self._client.hgetall(self._own.add_prefix(ORDERS_HASH)))
        found: dict[str, dict[str, Any]] = {}
        for name, text in sorted(raw.items()):
            try:
                found[name.decode("utf-8", "replace")] = to_object(json.loads(text))
            except (ValueError, RecursionError):
                continue
        return found

    def set_consuming(self, queue: str, workers: Sequence[str], *, consume: bool) -> tuple[str, ...]:
        """Tell workers to begin or stop consuming a queue; return those that confirmed it."""
        if not workers:
            return ()
        command = Command("add_consumer" if consume else "cancel_consumer", {"queue": queue})
        with translate_errors(self.url):
            return tuple(sorted(self._mailboxes.ask([command], list(workers), PING_TIMEOUT_S)[0]))

    def set_events(self, workers: Sequence[str], *, send: bool) -> dict[str, bool]:
        """Tell workers, or all with an empty list, to begin or stop sending events of their runs.

        Returns:
            By the name of each worker that answered: whether this changed anything.
        """
        command = Command("enable_events" if send else "disable_events", {})
        with translate_errors(self.url):
            answers = self._mailboxes.ask([command], list(workers) or None, PING_TIMEOUT_S)[0]
        return {name: "already" not in str(to_object(answer).get("ok", "already")) for name, answer in answers.items()}

    def result_state(self, run_id: str) -> str | None:
        """Read a run's state from the result backend; None when it has none or there is no backend to ask."""
        if not self._code.is_here:
            with translate_errors(self.url):
                return self._results.state(run_id) if self._results else None
        backend = self._backend()
        if backend is None:
            return None
        with translate_errors(self.url):
            meta = cast("dict[str, Any]", backend.get_task_meta(run_id))
        state = str(meta.get("status", "PENDING"))
        return None if state == "PENDING" else state

    def result(self, run_id: str) -> tuple[str, Any]:
        """Read the state of a run of another application, and its result or error, from the broker's own Redis."""
        if self._results is None:
            return "PENDING", None
        with translate_errors(self.url):
            return self._results.read(run_id)

    def name_other_backend(self) -> str:
        """Name the kind of place where another application keeps its results, when that is not the broker's Redis."""
        if self._results is None:
            return ""
        self.learn_layout()
        return self._results.name_other_backend()

    def store_revoked(self, run_ids: Sequence[str]) -> None:
        """Write REVOKED to the result backend, so that who waits for the result learns it."""
        if self._results is not None and not self._code.is_here:
            self.learn_layout()
            with translate_errors(self.url):
                self._results.store_revoked(run_ids)
            return
        backend = self._backend()
        if backend is None:
            return
        with translate_errors(self.url):
            for run_id in run_ids:
                backend.mark_as_revoked(run_id, "revoked by an operator", store_result=True)

    def _backend(self) -> Any | None:
        """Return the application's result backend when it is on Redis, whose errors are known; None for any other."""
        if not self._code.is_here:
            return None
        from celery.backends.redis import RedisBackend

        backend: Any = cast("Any", self._code.app).backend
        return backend if isinstance(backend, RedisBackend) else None
