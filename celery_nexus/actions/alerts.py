"""Actions on alerts: silence a rule for a while, and end a silence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from celery_nexus.actions.base import Action
from celery_nexus.actions.declaration import Argument, Key, Option, Section
from celery_nexus.actions.typed import read_span
from celery_nexus.errors import Invalid
from celery_nexus.rows.outcomes import Outcome, TargetOutcome
from celery_nexus.rows.text import clock
from celery_nexus.sources import Sources

_RULE = Argument("rule", "RULE", "A rule's name, as nexus-tui alerts lists it.")

SILENCE_KEY = Key("M", "silence", "silence, or end it", in_footer=True)
"""Key that silences a rule, and ends the silence of one that is silenced."""


@dataclass(frozen=True)
class SilenceRule(Action):
    """Tell nothing of an alert rule for a while: what is raised or cleared meanwhile, and still is, is told afterwards.

    Attributes:
        for_: As it was typed: ``2h``.
    """

    label: ClassVar[str] = "Silence alert rule"
    command_name: ClassVar[str] = "alerts silence"
    key: ClassVar[Key | None] = SILENCE_KEY
    section: ClassVar[Section] = Section.LOOK
    parameters: ClassVar[tuple[Argument | Option, ...]] = (
        _RULE,
        Argument("for_", "FOR", "For how long: 30m, 2h, 1d."),
        Argument("reason", "REASON…", "Why: who comes next has to know it.", is_many=True),
    )

    rule: str
    for_: str
    reason: tuple[str, ...]

    @classmethod
    def from_command(cls, given: Mapping[str, Any]) -> Action:
        """Make sure that there is a reason, and a time that can be read."""
        action = cls(given["rule"], given["for_"], tuple(given["reason"]))
        read_span(action.for_, "FOR")
        if not " ".join(action.reason).strip():
            raise Invalid("a silence needs a reason: who comes next has to know it")
        return action

    @property
    def question(self) -> str:
        """Name the rule and the consequence."""
        return f"Tell nothing of rule {self.rule} for {self.for_}? What still is wrong afterwards is told then."

    def run(self, sources: Sources) -> Outcome:
        """Write it down for whoever watches."""
        from celery_nexus.alerts.source import AlertSource

        alerts = AlertSource.open(sources)
        until = alerts.silence(self.rule, read_span(self.for_, "FOR"), " ".join(self.reason))
        return Outcome((TargetOutcome(self.rule, True, f"silenced until {clock(until)}"),))


@dataclass(frozen=True)
class EndSilence(Action):
    """Tell of an alert rule again, before its silence ends."""

    label: ClassVar[str] = "End silence of alert rule"
    command_name: ClassVar[str] = "alerts unsilence"
    key: ClassVar[Key | None] = SILENCE_KEY
    section: ClassVar[Section] = Section.LOOK
    parameters: ClassVar[tuple[Argument | Option, ...]] = (_RULE,)

    rule: str

    @property
    def question(self) -> str:
        """Name the rule."""
        return f"Tell of rule {self.rule} again?"

    def run(self, sources: Sources) -> Outcome:
        """Take the silence away."""
        from celery_nexus.alerts.source import AlertSource

        AlertSource.open(sources).end_silence(self.rule)
        return Outcome((TargetOutcome(self.rule, True, "is told again"),))
