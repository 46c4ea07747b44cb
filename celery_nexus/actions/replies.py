"""Action on answers to remote control that lie on the broker and that nobody will read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from celery_nexus.actions.base import Action
from celery_nexus.actions.declaration import Section
from celery_nexus.rows.outcomes import Outcome, TargetOutcome
from celery_nexus.sources import Sources


@dataclass(frozen=True)
class RemoveReplies(Action):
    """Remove answers to remote control that nobody will read: lists ``*.reply.celery.pidbox`` without an expiry."""

    label: ClassVar[str] = "Remove leaked replies"
    command_name: ClassVar[str] = "remove-replies"
    section: ClassVar[Section] = Section.ELSEWHERE

    @property
    def question(self) -> str:
        """Name the consequence."""
        return "Remove the answers of workers that lie here without an expiry? Who asked for them is gone."

    def run(self, sources: Sources) -> Outcome:
        """Remove them."""
        count = sources.broker.remove_replies()
        return Outcome((TargetOutcome(sources.broker.describe(), True, f"{count:,} lists of answers removed"),))
