"""Roster of workers: from heartbeats, replies to a ping, or at least events that are heard."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import redis

from celery_nexus.connection.keys import WORKER_HASH
from celery_nexus.control.answers import (
    TAKES_NO_CONTROL,
    describe_silent_worker,
    describe_worker,
    to_nexus_stats,
    to_object,
)
from celery_nexus.control.channels import Beat, Channels
from celery_nexus.control.configuration import Configuration
from celery_nexus.control.local_processes import measure_local
from celery_nexus.control.mailbox import Command, Silent
from celery_nexus.control.mailboxes import Mailboxes
from celery_nexus.control.presence import Presence
from celery_nexus.delivery.layout import Layout
from celery_nexus.delivery.leases.heartbeats import measure_silence_s
from celery_nexus.delivery.remembering import broker_now
from celery_nexus.rows.workers import Worker
from celery_nexus.serializers import formats

if TYPE_CHECKING:
    from celery_nexus.broker import BrokerSource

ANSWER_TIMEOUT_S = 0.5
PING_TIMEOUT_S = 1.0
PING_EVERY_S = 5.0
PING_SELDOM_S = 30.0
"""Interval of pings after one that had to wait for a worker that does not reply."""
SILENT_AFTER_S = 10.0
"""Age of the last heartbeat from which a worker is silent; heartbeats come every 2 s."""

FORGOTTEN_AFTER_S = 24 * 3600.0
"""Time for which a worker that vanished is still listed."""

HEAR_EVERY_S = 10.0
"""Interval of listening for workers that reply to nothing: it takes longer than a heartbeat."""

LISTENS = "listens, and does not answer: it may be busy (solo pool), or accept no JSON"
CUT_OFF = "sends heartbeats; remote control would cut its connection under the fanout_prefix"

_STOCK = (Command("stats", {}), Command("active", {}), Command("reserved", {}), Command("active_queues", {}))
_CONFIGURATION = Command("conf", {"with_defaults": False})


class Roster:
    """Lists the workers of all applications of a broker. May be shared by threads.

    Args:
        client: Redis.
        database: Its number.
        own: How our application names its keys.
        foreign: The source of applications that are not ours; None on our own broker.

    Attributes:
        layouts: Tells how each application that is there names its keys.
        mailboxes: Where workers are asked.
        consumers: Workers by queue as of the last reading; None before, or when not all say on what they work.
        presence: What workers answered last, and who did not.
        kind_of_results: Guesses in which format an application writes its results; None when there are none.
    """

    def __init__(self, client: redis.Redis, database: int, own: Layout, foreign: BrokerSource | None) -> None:
        self._client = client
        self._foreign = foreign
        self.layouts: Callable[[], Sequence[Layout]] = lambda: foreign.layouts if foreign else (own,)
        self.mailboxes = Mailboxes(client, database, self.layouts, is_own=foreign is None, kind=self._kind)
        self.kind_of_results: Callable[[], str | None] = lambda: None
        self.consumers: dict[str, tuple[str, ...]] | None = None
        self._configurations: dict[str, Configuration] = {}
        self._kinds: dict[str, str] = {}
        self._refusing: set[str] = set()
        self._lock = threading.Lock()
        self.presence = Presence()
        self._found: tuple[str, ...] = ()
        self._instances: Counter[str] = Counter()
        self._ping_at: float | None = None
        self._heard: dict[str, tuple[float, dict[str, Beat]]] = {}

    def read(self) -> tuple[Worker, ...]:
        """Describe every known worker; one that does not answer is ``silent``, unknown figures are None."""
        beats = self._heartbeats()
        now = time.time()
        fresh = [name for name, beat in beats.items() if now - beat["timestamp"] <= SILENT_AFTER_S]
        found = self._discovered(bool(fresh))
        with self._lock:
            waited_for = self.presence.list_awaited()
        ours = [*fresh, *(name for name in waited_for if name in beats and name not in fresh)]
        stock = [name for name in dict.fromkeys((*found, *waited_for)) if name not in beats]
        answers = self._ask_ours(ours) | self._ask_stock(stock)
        with self._lock:
            self.presence.note([*ours, *stock], answers)
        rows = [
            self._described(name, beats.get(name), answers.get(name), now, is_beating=name in fresh)
            for name in sorted({*beats, *stock})
        ]
        known = {row.name for row in rows}
        rows += [row for row in self._unheard(answers, now) if row.name not in known]
        self._learn(rows)
        return tuple(self._configured(measure_local(row) if row.is_stock else row) for row in rows)

    def _configured(self, worker: Worker) -> Worker:
        """Complete a worker by what its application's configuration says, and by how many answer under its name."""
        told = self.configuration(self.mailboxes.find_layout(worker.name))
        with self._lock:
            instances = max(1, self._instances[worker.name])
        if told is None:
            return replace(worker, instances=instances)
        limit = told.read_whole("worker_max_memory_per_child")
        return replace(
            worker,
            instances=instances,
            prefetch_multiplier=told.read_number("worker_prefetch_multiplier"),
            child_memory_limit_bytes=None if limit is None else 1024 * limit,
        )

    def ask_anew(self) -> None:
        """Let the next reading ask who is there."""
        self._ping_at = 0.0

    def list_dismissed(self, known: Iterable[str]) -> tuple[str, ...]:
        """Name the mailboxes that are bound and whose workers are not known: they are gone, or don't hear any more."""
        channels = self.mailboxes.channels
        if channels is None:
            return ()
        bound = [
            self.mailboxes.name_shown(layout, name)
            for layout in self.layouts()
            for names in channels.nodes(layout).values()
            for name in names
        ]
        return tuple(sorted(set(bound) - set(known)))

    def _described(
        self, name: str, beat: dict[str, Any] | None, answer: Mapping[str, Any] | None, now: float, *, is_beating: bool
    ) -> Worker:
        """Describe a worker; one that missed an answer is as it was, and silent after two and without a heartbeat."""
        with self._lock:
            is_silent = self.presence.is_silent(name, is_beating=is_beating)
            told = answer if answer is not None else self.presence.last_answer(name)
        if answer is None and is_silent:
            return describe_worker(name, beat, None, now)
        if told is None and beat is not None and is_beating:
            return describe_silent_worker(name, beat, now, "sends heartbeats, and has not answered yet")
        return describe_worker(name, beat, told, now)

    def _unheard(self, answered: Iterable[str], now: float) -> list[Worker]:
        """Describe workers that are there and answer nothing: remote control is switched off, or they are busy."""
        channels = self.mailboxes.channels
        if channels is None:
            return []
        awaited = self.presence.list_awaited()  # who missed one answer need not be listened for
        homes = {self.mailboxes.find_layout(name).prefix for name in (*answered, *awaited)}
        quiet = [mailbox for mailbox in self.mailboxes.all if mailbox.layout.prefix not in homes]
        listening = [self.mailboxes.name_shown(box.layout, name) for box in quiet for name in box.list_listeners()]
        rows = [Worker(name=name, verdict="silent", reason=LISTENS) for name in listening]
        consumers = channels.consumers() if quiet else 0
        if consumers:
            rows += [
                row for box in quiet for row in self._beating(channels, box.layout, now) if row.name not in listening
            ]
        if rows or homes or not consumers or any(mailbox.channels for mailbox in quiet):  # they were starting
            return rows
        reason = f"{consumers} connections take messages, but no worker answers or sends heartbeats"
        return [Worker(name="?", verdict="silent", reason=f"{reason}: is remote control switched off?")]

    def _beating(self, channels: Channels, layout: Layout, now: float) -> list[Worker]:
        """Describe an application's workers by their heartbeats alone."""
        until, beats = self._heard.get(layout.prefix, (0.0, {}))
        if now >= until:
            beats = channels.hear(layout)
            self._heard[layout.prefix] = time.time() + HEAR_EVERY_S, beats
        return [
            describe_silent_worker(
                self.mailboxes.name_shown(layout, name),
                beat.event,
                now,
                TAKES_NO_CONTROL
                if beat.is_spoken
                else f"{CUT_OFF} {beat.fanout!r}: begin it with / and end it with a dot",
            )
            for name, beat in sorted(beats.items())
        ]

    def _kind(self, layout: Layout) -> str:
        """Choose a format that an application's workers accept: that of its messages, else of its results, else JSON.

        Empty when nothing tells it, and its workers did not take JSON: each question more is an error in their logs.
        """
        if self._foreign is None:
            return formats.JSON
        known = self._kinds.get(layout.prefix)
        if known is None:
            seen = self._foreign.content_types(layout.prefix)
            found = (
                formats.JSON if formats.JSON in seen else next((kind for kind in seen if formats.is_known(kind)), None)
            )
            found = found or self.kind_of_results()
            known = found or ("" if layout.prefix in self._refusing else formats.JSON)
            if found:
                self._kinds[layout.prefix] = found
        return known

    def _note_refusals(self, answered: Iterable[str]) -> None:
        """Remember who lives and does not answer in a format that was only guessed."""
        channels = self.mailboxes.channels
        homes = {self.mailboxes.find_layout(name).prefix for name in (*answered, *self.presence.list_known())}
        for mailbox in self.mailboxes.all if channels else ():
            prefix = mailbox.layout.prefix
            is_known = prefix in homes or prefix in self._kinds or prefix in self._refusing
            if not is_known and mailbox.channels and channels and channels.hear(mailbox.layout):
                self._refusing.add(prefix)

    def names(self) -> list[str]:
        """Name the workers that send heartbeats of ours."""
        return list(self._heartbeats())

    def configuration(self, layout: Layout) -> Configuration | None:
        """Return what the workers of an application said of its configuration; None when none was asked or told."""
        return self._configurations.get(layout.prefix)

    def learn_layout(self) -> None:
        """Let workers say how they lay out their keys, unless they did."""
        if self._foreign is None or all(self.configuration(layout) for layout in self.layouts()):
            return
        names = self.mailboxes.ask([Command("ping", {})], None, PING_TIMEOUT_S)[0]
        readable = [name for name, told in names.items() if not isinstance(told, Silent)]
        if readable:
            self._learn_from(self.mailboxes.ask([_CONFIGURATION], readable, PING_TIMEOUT_S)[0])

    def _learn_from(self, answers: Mapping[str, Any]) -> None:
        for name, answer in answers.items():
            layout = self.mailboxes.find_layout(name)
            if self._foreign is not None and layout.prefix not in self._configurations and isinstance(answer, dict):
                configuration = Configuration(cast("dict[str, Any]", answer))
                self._configurations[layout.prefix] = configuration
                self._foreign.learn(layout.prefix, configuration.layout)

    def _heartbeats(self) -> dict[str, dict[str, Any]]:
        beats: dict[str, dict[str, Any]] = {}
        now, ahead_s = time.time(), self._ahead_s()
        for layout in self.layouts():
            raw = cast("dict[bytes, bytes]", self._client.hgetall(layout.add_prefix(WORKER_HASH)))
            for name, text in raw.items():
                try:
                    beat = to_object(json.loads(text))
                except (ValueError, RecursionError):
                    continue
                age_s = measure_silence_s(beat, now, ahead_s)
                # A clock ahead of ours is believed up to the same bound.
                if age_s is not None and abs(age_s) < FORGOTTEN_AFTER_S:
                    shown = self.mailboxes.name_shown(layout, name.decode("utf-8", "replace"))
                    beats[shown] = beat | {"timestamp": now - age_s}
        return beats

    def _ahead_s(self) -> float:
        """Tell how far the broker's clock is ahead of ours; 0 when it does not tell."""
        try:
            return broker_now(self._client) - time.time()
        except redis.ResponseError:
            return 0.0

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
        heard: list[str] = []
        try:
            told = self.mailboxes.ask([Command("ping", {})], None, PING_TIMEOUT_S, lambda name, _: heard.append(name))
            found = tuple(told[0])
        except redis.RedisError:
            self._ping_at = None  # who asks next hears of it, too: what was refused is no calm
            raise
        self._note_refusals(found)
        with self._lock:
            self._found = found
            self._instances = Counter(heard)
            if time.monotonic() - now >= PING_TIMEOUT_S:
                self._ping_at = now + PING_SELDOM_S
            return self._found

    def _ask_ours(self, names: list[str]) -> dict[str, dict[str, Any]]:
        if not names:
            return {}
        answers = self.mailboxes.ask([Command("nexus_stats", {})], names, ANSWER_TIMEOUT_S)[0]
        return {name: to_object(answer) for name, answer in answers.items() if "pid" in to_object(answer)}

    def _ask_stock(self, names: list[str]) -> dict[str, dict[str, Any]]:
        # Of YAML no answer is read, and workers can't write their ``stats`` as YAML: they would log an error.
        unread = [name for name in names if self._kind(self.mailboxes.find_layout(name)) == formats.YAML]
        told = self.mailboxes.ask([Command("ping", {})], unread, ANSWER_TIMEOUT_S)[0] if unread else {}
        found = {name: {"problem": answer.problem} for name, answer in told.items() if isinstance(answer, Silent)}
        return found | self._ask_readable([name for name in names if name not in unread])

    def _ask_readable(self, names: list[str]) -> dict[str, dict[str, Any]]:
        if not names:
            return {}
        is_new = self._foreign is not None and not all(map(self.configuration, self.layouts()))
        commands = (*_STOCK, _CONFIGURATION) if is_new else _STOCK
        stats, active, reserved, queues, *conf = self.mailboxes.ask(commands, names, ANSWER_TIMEOUT_S)
        for answers in conf:
            self._learn_from(answers)
        return {
            name: {"problem": told.problem}
            if isinstance(told, Silent)
            else to_nexus_stats(to_object(told), active.get(name), reserved.get(name), self._shown_queues(name, queues))
            for name, told in stats.items()
        }

    def _shown_queues(self, name: str, answers: Mapping[str, Any]) -> Any:
        rows, layout = answers.get(name), self.mailboxes.find_layout(name)
        if not isinstance(rows, list):
            return rows
        named = (to_object(row) for row in cast("list[Any]", rows))
        return [{**row, "name": self.mailboxes.name_shown(layout, str(row.get("name")))} for row in named]

    def _learn(self, rows: Sequence[Worker]) -> None:
        consumers: dict[str, list[str]] = {}
        if any(row.verdict != "silent" and row.pool is None and not row.queues for row in rows) or any(
            row.name == "?" for row in rows
        ):
            with self._lock:  # somebody works who does not say on what
                self.consumers = None
            return
        for row in rows:
            if row.verdict != "silent":
                for queue in row.queues:
                    consumers.setdefault(queue, []).append(row.name)
        with self._lock:
            self.consumers = {queue: tuple(names) for queue, names in consumers.items()}
