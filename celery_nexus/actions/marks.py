"""Action on marks: name this moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from celery_nexus.actions.base import Action
from celery_nexus.actions.declaration import Argument, Option, Section
from celery_nexus.rows.marks import check_label
from celery_nexus.rows.outcomes import Outcome, TargetOutcome
from celery_nexus.rows.text import clock
from celery_nexus.sources import Sources


@dataclass(frozen=True)
class MarkMoment(Action):
    """Mark this moment, as that of a deployment: charts show it, and failures say whether they are new since then."""

    label: ClassVar[str] = "Mark"
    command_name: ClassVar[str] = "mark"
    section: ClassVar[Section] = Section.PAST
    parameters: ClassVar[tuple[Argument | Option, ...]] = (
        Argument("title", "LABEL…", "What it is called: v2.4.", is_many=True),
    )

    title: tuple[str, ...]

    @classmethod
    def from_command(cls, given: Mapping[str, Any]) -> Action:
        """Make sure that the label fits."""
        return cls((check_label(" ".join(given["title"])),))

    @property
    def question(self) -> str:
        """Name the label."""
        return f"Mark this moment as {' '.join(self.title)}?"

    def run(self, sources: Sources) -> Outcome:
        """Write it beside the history."""
        mark = sources.history.mark(" ".join(self.title))
        return Outcome((TargetOutcome(mark.label, True, f"marked at {clock(mark.at)}"),))
