"""Actions on stuck chords: finish them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from celery_nexus.actions.base import Action, Plan
from celery_nexus.actions.declaration import Argument, Option, Section
from celery_nexus.errors import Invalid
from celery_nexus.rows.outcomes import Outcome, TargetOutcome
from celery_nexus.sources import Sources

if TYPE_CHECKING:
    from celery_nexus.diagnosis.chords import ChordSource


@dataclass(frozen=True)
class FinishChords(Action):
    """Finish chords that can't end: what is missing counts as it ended, and the body is called or fails.

    A member that is nowhere counts as revoked.
    """

    label: ClassVar[str] = "Finish"
    command_name: ClassVar[str] = "chords finish"
    section: ClassVar[Section] = Section.LOOK
    parameters: ClassVar[tuple[Argument | Option, ...]] = (
        Argument("groups", "[GROUP]…", "A chord's group id, as chords lists it.", is_required=False, is_many=True),
        Option("--all", "every", "All that can't end."),
    )

    groups: tuple[str, ...]
    every: bool = False

    @classmethod
    def from_command(cls, given: Mapping[str, Any]) -> Action:
        """Take group ids, or all."""
        if bool(given["groups"]) == given["every"]:
            raise Invalid("which chords? Give group ids, or --all; see: nexus-tui chords")
        return super().from_command(given)

    @property
    def question(self) -> str:
        """Count them."""
        what = f"chord {self.groups[0]}" if len(self.groups) == 1 else f"{len(self.groups):,} chords"
        what = "every chord that can't end" if self.every else what
        return f"Finish {what}? Members that are nowhere count as revoked. {self.undo_words.capitalize()}."

    def plan(self, sources: Sources) -> Plan:
        """Look which of them can't end."""
        stuck = {chord.group: chord.reason for chord in _chords(sources).list_stuck_chords()}
        if self.every and not stuck:
            return Plan(self, lambda: (_NOTHING,), 0)
        groups = tuple(stuck) if self.every else self.groups
        rows = tuple(
            TargetOutcome(group, group in stuck, f"{stuck[group]} → finished" if group in stuck else "is not stuck")
            for group in groups
        )
        return Plan(replace(self, groups=groups, every=False), lambda: rows, len(rows))

    def run(self, sources: Sources) -> Outcome:
        """Finish each."""
        chords = _chords(sources)
        groups = tuple(chord.group for chord in chords.list_stuck_chords()) if self.every else self.groups
        return Outcome(tuple(chords.finish(group) for group in groups) or (_NOTHING,))


_NOTHING = TargetOutcome("chords", True, "every chord can end")


def _chords(sources: Sources) -> ChordSource:
    from celery_nexus.diagnosis.chords import ChordSource

    return ChordSource(sources.broker, sources.control)
