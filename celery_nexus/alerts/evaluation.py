"""Evaluation of rules: what is raised and cleared by one look; pure, so that each way through it can be tested."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from celery_nexus.alerts.facts import Facts
from celery_nexus.alerts.kinds import BY_NAME, AlertKind, Reading
from celery_nexus.alerts.rules import Rule
from celery_nexus.rows.alerts import AlertSeverity

Event = Literal["raised", "cleared"]


@dataclass(frozen=True, slots=True)
class Alert:
    """What one rule found on one subject, as it is remembered.

    Attributes:
        rule: Name of the rule.
        subject: What it is found on.
        state: ``pending``, ``raised``; ``over`` when it is cleared and channels don't know it yet.
        since: When the value was first too great, in seconds since the epoch.
        raised_at: When it was raised; None before.
        text: What was seen last.
        severity: As the rule said.
        told: Channels that were told, or are being told, that it is raised; None: nobody was, for a silence.
    """

    rule: str
    subject: str
    state: Literal["pending", "raised", "over"]
    since: float
    raised_at: float | None = None
    text: str = ""
    severity: AlertSeverity = "warning"
    told: tuple[str, ...] | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from others."""
        return self.rule, self.subject


@dataclass(frozen=True, slots=True)
class Notice:
    """What channels are to be told: alerts of one rule that were raised, or cleared, at one look.

    Attributes:
        event: Which of both.
        rule: Name of the rule.
        severity: How bad it is.
        channels: Who is told.
        alerts: What was raised or cleared.
    """

    event: Event
    rule: str
    severity: AlertSeverity
    channels: tuple[str, ...]
    alerts: tuple[Alert, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """What one look led to.

    Attributes:
        alerts: Everything that is open now, to be remembered.
        notices: What is to be told.
        raised: Alerts that were raised at this look, silenced or not.
        cleared: Those that were cleared.
    """

    alerts: tuple[Alert, ...]
    notices: tuple[Notice, ...] = ()
    raised: tuple[Alert, ...] = ()
    cleared: tuple[Alert, ...] = ()


def evaluate(
    rules: Sequence[Rule],
    facts: Facts,
    alerts: Iterable[Alert],
    channels: Sequence[str],
    silenced: Collection[str] = (),
) -> Step:
    """Compare every rule with the facts.

    Each alert is told once when it is raised and once when it is cleared, to the channels of that moment. While a rule
    is silenced nothing is told of it; at the end of the silence, what is different from what was told is.

    Args:
        rules: The rules that are on.
        facts: As of one look.
        alerts: What was open after the look before.
        channels: Names of all channels.
        silenced: Names of rules that nothing is told of now.
    """
    known = {alert.key: alert for alert in alerts}
    moved: list[tuple[Alert | None, Alert | None]] = []
    for rule in rules:
        mine = {subject: known.pop((name, subject)) for name, subject in list(known) if name == rule.name}
        moved += _move_rule(rule, facts, mine)
    moved += [(alert, _clear(alert)) for alert in known.values()]  # its rule is gone, or off
    to_tell = {rule.name: channels if rule.channels is None else rule.channels for rule in rules}
    told = [_tell(after, to_tell, silenced) for _, after in moved]
    notices = [pair for _, pair in told if pair is not None]
    return Step(
        tuple(alert for alert, _ in told if alert is not None),
        tuple(_join(notices)),
        tuple(after for before, after in moved if after and after.state == "raised" and not _is_raised(before)),
        tuple(after or before for before, after in moved if before and _is_raised(before) and not _is_raised(after)),
    )


def _move_rule(rule: Rule, facts: Facts, known: dict[str, Alert]) -> list[tuple[Alert | None, Alert | None]]:
    kind = BY_NAME[rule.kind]
    readings = kind.read(facts, rule)
    if readings is None:
        return [(alert, alert) for alert in known.values()]
    return [
        (known.get(subject), _move(rule, kind, subject, readings.get(subject), known.get(subject), facts.at))
        for subject in dict.fromkeys((*known, *readings))
    ]


def _move(
    rule: Rule, kind: AlertKind, subject: str, reading: Reading | None, alert: Alert | None, now: float
) -> Alert | None:
    """Move one alert by one value; a subject that is gone is well."""
    above, clears = kind.bounds(rule, reading)
    is_raised = _is_raised(alert)
    is_bad = reading is not None and reading.value > (clears if is_raised else above)
    if reading is None or not is_bad:
        text = "nothing is seen of it any more" if reading is None else reading.text
        return None if alert is None else _clear(replace(alert, text=text))
    if alert is None or alert.state == "over":
        told = None if alert is None else alert.told
        alert = Alert(rule.name, subject, "pending", now, told=told)
    alert = replace(alert, text=reading.text, severity=rule.severity, since=min(alert.since, now))
    if not is_raised and now - alert.since >= rule.for_s:
        return replace(alert, state="raised", raised_at=now)
    return alert


def _clear(alert: Alert) -> Alert | None:
    """Forget an alert; one that channels were told of is over, until they know it."""
    return None if alert.told is None else replace(alert, state="over")


def _is_raised(alert: Alert | None) -> bool:
    return alert is not None and alert.state == "raised"


def _tell(
    alert: Alert | None, to_tell: Mapping[str, Sequence[str]], silenced: Collection[str]
) -> tuple[Alert | None, Notice | None]:
    """Decide what is told of an alert, and return it as it is remembered afterwards."""
    if alert is None or alert.rule in silenced:
        return alert, None
    if alert.state == "raised" and alert.told is None:
        channels = tuple(to_tell.get(alert.rule, ()))
        told = replace(alert, told=channels)
        return told, Notice("raised", alert.rule, alert.severity, channels, (told,))
    if alert.state == "over":
        return None, Notice("cleared", alert.rule, alert.severity, alert.told or (), (alert,))
    return alert, None


def _join(notices: Iterable[Notice]) -> list[Notice]:
    """Join what is told of one rule to the same channels: a thousand queues without a worker are one notice."""
    joined: dict[tuple[str, str, tuple[str, ...]], Notice] = {}
    for notice in notices:
        key = (notice.event, notice.rule, notice.channels)
        known = joined.get(key)
        joined[key] = notice if known is None else replace(known, alerts=(*known.alerts, *notice.alerts))
    return list(joined.values())
