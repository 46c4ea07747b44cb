"""Rows of alerts: rules with their state, open alerts, silences, and what channels were told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

AlertSeverity = Literal["warning", "critical"]
RuleState = Literal["ok", "pending", "raised", "silenced", "off"]


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """What a rule found on one subject, and has not cleared.

    Attributes:
        rule: Name of the rule.
        subject: The queue, worker, task, folder or broker.
        state: ``pending`` until it lasted as long as the rule says, then ``raised``.
        since: When it was first seen so (aware, UTC).
        raised_at: When it was raised; None while it is pending.
        text: What was seen last, in one line.
        severity: As the rule says.
        is_told: Whether channels were told, or are being told.
    """

    rule: str
    subject: str
    state: Literal["pending", "raised"]
    since: datetime
    raised_at: datetime | None
    text: str
    severity: AlertSeverity
    is_told: bool = False


@dataclass(frozen=True, slots=True)
class Silence:
    """Why nothing is told of a rule, and until when.

    Attributes:
        rule: Name of the rule.
        until: When it ends (aware, UTC).
        reason: As the operator gave it.
        by: Who gave it.
    """

    rule: str
    until: datetime
    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class RuleStatus:
    """A rule, and how things stand with it.

    Attributes:
        name: Its name in the rules file, or of the rule that is there without one.
        kind: What it looks at: ``depth``, ``deaf`` …
        condition: When it is raised and cleared, in words.
        severity: How bad it is.
        channels: Names of the channels that are told.
        state: The worst of its alerts; ``silenced`` while nothing is told, ``off`` when nothing is looked at.
        since: Since when the first of its alerts is so (aware, UTC); None without one.
        alerts: Its alerts, those that are raised first.
        silence: The silence in force, if there is one.
    """

    name: str
    kind: str
    condition: str
    severity: AlertSeverity
    channels: tuple[str, ...]
    state: RuleState
    since: datetime | None = None
    alerts: tuple[OpenAlert, ...] = ()
    silence: Silence | None = None


@dataclass(frozen=True, slots=True)
class ChannelStatus:
    """A channel, and what it has not been told yet.

    Attributes:
        name: Its name in the rules file.
        type: ``webhook``, ``mail``, ``command`` or ``apprise``.
        waiting: Notices that it has not taken yet.
        problem: Why it did not take the last one; empty when it did.
        next_try_at: When it is tried again (aware, UTC); None when nothing waits.
    """

    name: str
    type: str
    waiting: int = 0
    problem: str = ""
    next_try_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AlertReport:
    """Everything about the alerts of one application.

    Attributes:
        rules: Every rule, those that are raised first.
        channels: Every channel.
        path: The rules file; it need not exist.
        mistakes: What is wrong with it, each with its line.
        looked_at: When somebody last looked (aware, UTC); None: nobody ever did.
        is_watched: Whether somebody looks now, again and again.
    """

    rules: tuple[RuleStatus, ...]
    channels: tuple[ChannelStatus, ...]
    path: str
    mistakes: tuple[str, ...] = ()
    looked_at: datetime | None = None
    is_watched: bool = False
