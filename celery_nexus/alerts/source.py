"""Source of alerts: rules with their state, silences, and trial messages to channels."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Self

from celery_nexus.alerts.book import Book, BookFile
from celery_nexus.alerts.channels.message import make_message
from celery_nexus.alerts.channels.sending import send
from celery_nexus.alerts.channels.spec import ChannelFailed, ChannelSpec
from celery_nexus.alerts.deliveries import Delivery, Told
from celery_nexus.alerts.evaluation import Alert
from celery_nexus.alerts.kinds import BY_NAME
from celery_nexus.alerts.places import Places, find_places
from celery_nexus.alerts.rules import Rule
from celery_nexus.alerts.rules_file import RuleSet, read_rules
from celery_nexus.alerts.silences import LONGEST_S, Silences
from celery_nexus.errors import Invalid, NotFound, Unreachable
from celery_nexus.rows.alerts import AlertReport, ChannelStatus, OpenAlert, RuleState, RuleStatus, Silence
from celery_nexus.rows.text import safe_text
from celery_nexus.sources import Sources
from celery_nexus.times import write_span
from celery_nexus.user_files import suggest

_ORDER: Sequence[RuleState] = ("raised", "pending", "silenced", "ok", "off")


class AlertSource:
    """Reads what is known of the alerts of an application, without looking at it; safe in threads.

    Args:
        places: Files of the application.
        application: What messages call it.
    """

    def __init__(self, places: Places, application: str) -> None:
        self.places = places
        self._application = application
        self._book = BookFile(self.places.book)
        self._silences = Silences(self.places.silences)

    @classmethod
    def open(cls, sources: Sources) -> Self:
        """Make the source of an application, with the rules file of who watches it."""
        places = find_places(sources)
        return cls(places.with_rules(BookFile(places.book).rules()), describe_application(sources))

    def read(self) -> AlertReport:
        """Read the rules with their state.

        Raises:
            SourceError: A file can't be read.
        """
        found, book, now = self._read_rules(), self._book.read(), time.time()
        silences = self._silences.read(now)
        rules = [make_status(rule, found, book.alerts, silences.get(rule.name)) for rule in found.rules]
        looked = self._book.read_last_look()
        return AlertReport(
            rules=tuple(sorted(rules, key=lambda row: _ORDER.index(row.state))),
            channels=tuple(_channel_status(channel, book) for channel in found.channels),
            path=str(self.places.rules),
            mistakes=tuple(map(str, found.mistakes)),
            looked_at=None if looked is None else datetime.fromtimestamp(looked, UTC),
            is_watched=self._book.is_held(),
        )

    def list_open(self) -> tuple[OpenAlert, ...]:
        """List the alerts that are raised, as of the last look.

        Raises:
            SourceError: The file can't be read.
        """
        return tuple(_to_row(alert) for alert in self._book.read().alerts if alert.state == "raised")

    def check_rule(self, name: str) -> None:
        """Make sure that there is a rule.

        Raises:
            NotFound: There is none of this name.
        """
        known = [rule.name for rule in self._read_rules().rules]
        if name not in known:
            raise NotFound(f"no rule {safe_text(name, 60)!r}{suggest(name, known)}; there are {', '.join(known)}")

    def silence(self, rule: str, for_s: float, reason: str) -> datetime:
        """Tell nothing of a rule for a while, and return until when.

        Raises:
            NotFound: There is no such rule.
            Invalid: There is no reason, or the time is too long.
            SourceError: It can't be written.
        """
        self.check_rule(rule)
        if not reason.strip():
            raise Invalid("a silence needs a reason: who comes next has to know it")
        if for_s > LONGEST_S:
            raise Invalid("a silence lasts a year at most; a rule that is never to be told has enabled = false")
        until = time.time() + for_s
        self._silences.add(rule, until, reason.strip())
        return datetime.fromtimestamp(until, UTC)

    def end_silence(self, rule: str) -> None:
        """Tell a rule's alerts again.

        Raises:
            NotFound: It is not silenced.
            SourceError: It can't be written.
        """
        if not self._silences.remove(rule):
            raise NotFound(f"rule {safe_text(rule, 60)!r} is not silenced")

    def try_channel(self, name: str) -> None:
        """Send a trial message by a channel; blocks as long as the channel may take.

        Raises:
            NotFound: There is no such channel.
            Unreachable: It did not take the message.
        """
        found = self._read_rules()
        channel = next((row for row in found.channels if row.name == name), None)
        if channel is None:
            known = found.channel_names
            there = ", ".join(known) or f"none: write [channel.NAME] into {self.places.rules}"
            wrong = "".join(f"\n{mistake} ({self.places.rules})" for mistake in found.mistakes)
            raise NotFound(f"no channel {safe_text(name, 60)!r}{suggest(name, known)}; there are {there}{wrong}")
        now = time.time()
        told = Told("a trial", "nothing is wrong; nexus-tui alerts test sent this", now)
        delivery = Delivery(f"test-{time.time_ns()}", name, "raised", "test", "warning", now, (told,), 1)
        try:
            send(channel, make_message(delivery, self._application, is_test=True))
        except ChannelFailed as problem:
            raise Unreachable(f"channel {name} did not take it: {problem}") from None

    def _read_rules(self) -> RuleSet:
        return read_rules(self.places.rules)


def describe_application(sources: Sources) -> str:
    """Say which application it is, without secrets."""
    if sources.application:
        return f"{sources.application} ({sources.broker.url.masked})"
    return sources.broker.url.masked + (f" {sources.prefix}" if sources.prefix else "")


def make_status(rule: Rule, found: RuleSet, alerts: Sequence[Alert], silence: Silence | None) -> RuleStatus:
    """Say how things stand with a rule."""
    mine = [alert for alert in alerts if alert.rule == rule.name and alert.state != "over"]
    mine.sort(key=lambda alert: (alert.state != "raised", alert.since))
    rows = tuple(map(_to_row, mine))
    return RuleStatus(
        name=rule.name,
        kind=rule.kind,
        condition=describe_condition(rule),
        severity=rule.severity,
        channels=found.channel_names if rule.channels is None else rule.channels,
        state=_state_of(rule, mine, silence),
        since=min((row.raised_at or row.since for row in rows if row.state == rows[0].state), default=None),
        alerts=rows,
        silence=silence,
    )


def describe_condition(rule: Rule) -> str:
    """Write when a rule is raised and cleared: ``above 500, clears at 300, for 2m``."""
    kind = BY_NAME[rule.kind]
    above, clears = kind.bounds(rule)
    parts: list[str] = []
    if not kind.is_a_fact:
        declared = " or what the queue says" if rule.above is None and kind.about == "queue" else ""
        parts.append(f"above {kind.write(above)}{declared}, clears at {kind.write(clears)}")
    if rule.for_s:
        parts.append(f"for {write_span(rule.for_s)}")
    parts += [f"{word} {', '.join(names)}" for word, names in (("queues", rule.queues), ("tasks", rule.tasks)) if names]
    return ", ".join(parts) or "at once"


def _state_of(rule: Rule, alerts: Sequence[Alert], silence: Silence | None) -> RuleState:
    if not rule.is_on:
        return "off"
    if silence is not None:
        return "silenced"
    return "ok" if not alerts else "raised" if alerts[0].state == "raised" else "pending"


def _to_row(alert: Alert) -> OpenAlert:
    return OpenAlert(
        rule=alert.rule,
        subject=alert.subject,
        state="raised" if alert.state == "raised" else "pending",
        since=datetime.fromtimestamp(alert.since, UTC),
        raised_at=None if alert.raised_at is None else datetime.fromtimestamp(alert.raised_at, UTC),
        text=alert.text,
        severity=alert.severity,
        is_told=alert.told is not None,
    )


def _channel_status(channel: ChannelSpec, book: Book) -> ChannelStatus:
    waiting = [row for row in book.deliveries if row.channel == channel.name]
    if not waiting:
        return ChannelStatus(channel.name, channel.type)
    next_at = datetime.fromtimestamp(waiting[0].next_at, UTC)
    return ChannelStatus(channel.name, channel.type, len(waiting), waiting[0].problem, next_at)
