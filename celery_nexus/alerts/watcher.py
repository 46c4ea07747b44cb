"""Watcher: looks, remembers, and tells the channels, again and again, whatever one of them does."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from celery_nexus.alerts.book import Book, BookFile
from celery_nexus.alerts.channels.message import make_message
from celery_nexus.alerts.channels.sending import send
from celery_nexus.alerts.channels.spec import ChannelFailed, ChannelSpec
from celery_nexus.alerts.deliveries import Delivery, list_due, make_deliveries, postpone, split_given_up
from celery_nexus.alerts.evaluation import Alert, Step, evaluate
from celery_nexus.alerts.facts import Facts
from celery_nexus.alerts.rules_file import RuleSet, read_rules
from celery_nexus.alerts.silences import Silences
from celery_nexus.errors import SourceError
from celery_nexus.rows.text import safe_text

LOOK_EVERY_S = 12.0
"""Pause between two looks; less than :data:`~celery_nexus.diagnosis.watch.REMEMBERED_S`, after which a look is compared
with none."""

THREADS = 8
"""Channels that are told at once."""

Say = Callable[[str], None]

logger = logging.getLogger("alerts")


class RulesReader:
    """Reads the rules file again when it changes; while it is wrong, what was right before holds.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = (-1, -1)
        self._rules = RuleSet()

    def read(self, say: Say) -> RuleSet:
        """Return the rules in force."""
        seen = self._look()
        if seen == self._seen:
            return self._rules
        is_first = self._seen == (-1, -1)
        self._seen = seen
        try:
            found = read_rules(self._path)
        except SourceError as problem:
            say(f"✗ rules: {problem}")
            return self._rules
        for mistake in found.mistakes:
            say(f"✗ rules: {self._path}: {mistake}")
        if is_first or not found.mistakes:
            self._rules = found
        return self._rules

    def _look(self) -> tuple[int, int] | None:
        try:
            facts = self._path.stat()
        except OSError:
            return None
        return facts.st_mtime_ns, facts.st_size


class Watcher:
    """Watches one application. Call :meth:`look` while holding its book.

    Args:
        read: Reads the facts that rules need.
        rules: Reads the rules.
        book: Remembers.
        silences: What is silenced.
        application: What messages call it, without secrets.
        say: Takes a line for each event.
        clock: Tells the seconds since the epoch.
    """

    def __init__(
        self,
        read: Callable[[RuleSet], Facts],
        rules: RulesReader,
        book: BookFile,
        silences: Silences,
        *,
        application: str,
        say: Say,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._read = read
        self._rules = rules
        self._file = book
        self._silences = silences
        self._application = application
        self._say = say
        self._clock = clock
        self._book = book.read()
        self._written, self._problem = self._book, ""
        self._pool = ThreadPoolExecutor(THREADS, "alerts")
        self._answered = threading.Event()
        self._under_way: dict[str, tuple[Delivery, Future[None]]] = {}

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """What is open."""
        return self._book.alerts

    def look(self) -> None:
        """Look once, remember what is new, and begin to tell it."""
        found = self._rules.read(self._say)
        facts = self._read(found)
        silenced = self._silences.read(facts.at)
        step = evaluate(found.on, facts, self._book.alerts, found.channel_names, silenced)
        new = [row for notice in step.notices for row in make_deliveries(notice, facts.at)]
        self._say_step(step, silenced)
        self._book = Book(step.alerts, (*self._book.deliveries, *new))
        self._save()
        self._file.note_look()
        self.deliver()

    def deliver(self) -> None:
        """Take in what channels answered, and begin to tell what is due; waits for none of them."""
        self._collect()
        found = self._rules.read(self._say)
        channels = {channel.name: channel for channel in found.channels}
        now = self._clock()
        kept, given_up = split_given_up(self._book.deliveries, channels, now)
        for row in given_up:
            self._say(f"✗ {row.channel}: was never told {_words(row)}: {row.problem or 'there is no such channel'}")
        self._book = replace(self._book, deliveries=tuple(kept))
        self._save()
        for row in list_due(kept, now):
            if row.channel not in self._under_way:
                future = self._pool.submit(self._send, channels[row.channel], row)
                self._under_way[row.channel] = (row, future)
                future.add_done_callback(lambda _: self._answered.set())

    def wait(self, timeout_s: float) -> None:
        """Wait until a channel answered, but for no longer than a time: what it took is to be remembered at once."""
        self._answered.wait(timeout_s)
        self._answered.clear()

    def finish(self, timeout_s: float) -> None:
        """Wait until each channel was tried, but for no longer than a time."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            self.deliver()
            if not self._under_way:
                break
            self.wait(0.5)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _send(self, channel: ChannelSpec, delivery: Delivery) -> None:
        send(channel, make_message(delivery, self._application))

    def _collect(self) -> None:
        """Note which deliveries were made; what failed is tried again later."""
        for name, (delivery, future) in list(self._under_way.items()):
            if not future.done():
                continue
            del self._under_way[name]
            problem = future.exception()
            if problem is None:
                rows = [row for row in self._book.deliveries if row.id != delivery.id]
                self._say(f"→ {name} was told {_words(delivery)}")
            else:
                if not isinstance(problem, ChannelFailed):
                    logger.error("channel %s failed", name, exc_info=problem)
                later = postpone(delivery, str(problem) or type(problem).__name__, self._clock())
                rows = [later if row.id == delivery.id else row for row in self._book.deliveries]
                self._say(f"✗ {name}: {later.problem}; again in {later.next_at - self._clock():.0f} s")
            self._book = replace(self._book, deliveries=tuple(rows))
            self._save()  # at once: what was told must not be told again after a crash

    def _save(self) -> None:
        """Remember; where that can't be done, on a full disk, channels are told all the same."""
        if self._book == self._written:
            return
        try:
            self._file.write(self._book)
        except SourceError as problem:
            if str(problem) != self._problem:
                self._say(f"✗ alerts can't be remembered: {problem}; after a restart they may be told again")
            self._problem = str(problem)
            return
        self._written, self._problem = self._book, ""

    def _say_step(self, step: Step, silenced: Iterable[str]) -> None:
        quiet = set(silenced)
        for sign, word, alerts in (("✗", "raised", step.raised), ("✓", "cleared", step.cleared)):
            for alert in alerts:
                note = " (silenced)" if alert.rule in quiet else ""
                self._say(f"{sign} {word} {alert.rule} {alert.subject}: {alert.text}{note}")


def _words(delivery: Delivery) -> str:
    first = delivery.subjects[0].subject if delivery.subjects else ""
    more = f" and {delivery.count - 1:,} more" if delivery.count > 1 else ""
    return safe_text(f"{delivery.event} {delivery.rule} {first}{more}", 200)
