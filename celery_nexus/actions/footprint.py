"""Action on the footprint: removes the keys that Nexus left on a broker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from celery_nexus.actions.base import Action
from celery_nexus.actions.declaration import Section
from celery_nexus.rows.outcomes import Outcome, TargetOutcome
from celery_nexus.sources import Sources


@dataclass(frozen=True)
class RemoveFootprint(Action):
    """Remove every key that Nexus wrote on another application's broker; its own keys stay as they are."""

    label: ClassVar[str] = "Remove footprint"
    command_name: ClassVar[str] = "footprint --remove"
    section: ClassVar[Section] = Section.ELSEWHERE
    is_recorded: ClassVar[bool] = False

    @property
    def question(self) -> str:
        """Name the consequence."""
        return "Remove all that Nexus left on this broker? Nothing can be undone any more, and the audit log is gone."

    def run(self, sources: Sources) -> Outcome:
        """Remove it."""
        count = sources.broker.remove_footprint()
        return Outcome((TargetOutcome(sources.broker.describe(), True, f"{count:,} keys of ours removed"),))
