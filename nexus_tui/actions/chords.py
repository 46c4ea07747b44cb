"""Finishing chords that can't end by themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from celery_nexus.rows.outcomes import Outcome, TargetOutcome
from celery_nexus.rows.text import command_line
from celery_nexus.sources import Sources
from nexus_tui.actions.base import Action, Plan


@dataclass(frozen=True)
class FinishChords(Action):
    """Finish chords that can't end: what is missing counts as it ended, and the body is called or fails.

    Attributes:
        groups: Their group ids.
    """

    label: ClassVar[str] = "Finish"

    groups: tuple[str, ...]

    @property
    def question(self) -> str:
        """Count them."""
        what = f"chord {self.groups[0]}" if len(self.groups) == 1 else f"{len(self.groups):,} chords"
        return f"Finish {what}? Members that are nowhere count as revoked. This can't be undone."

    @property
    def command(self) -> str:
        """The command line that does the same."""
        return command_line("chords", "finish", *self.groups)

    def plan(self, sources: Sources) -> Plan:
        """Look which of them can't end."""
        from celery_nexus.diagnosis.chords import ChordSource

        stuck = {chord.group: chord.reason for chord in ChordSource(sources.broker, sources.control).stuck()}
        rows = tuple(
            TargetOutcome(group, group in stuck, f"{stuck[group]} → finished" if group in stuck else "is not stuck")
            for group in self.groups
        )
        return Plan(self, lambda: rows, len(rows))

    def run(self, sources: Sources) -> Outcome:
        """Finish each."""
        from celery_nexus.diagnosis.chords import ChordSource

        chords = ChordSource(sources.broker, sources.control)
        return Outcome(tuple(chords.finish(group) for group in self.groups))
