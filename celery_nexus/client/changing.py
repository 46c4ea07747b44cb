"""Base class of the changing halves of the public Python interface: planning and performing an action."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from celery_nexus.actions.base import perform

if TYPE_CHECKING:
    from celery_nexus.actions.base import Action, Plan
    from celery_nexus.rows.outcomes import Outcome
    from celery_nexus.sources import Sources

Names = str | Iterable[str]
"""One id or name, or several."""


class Changing:
    """What plans and performs actions; every method that changes something is one of them.

    Attributes:
        sources: Where everything is read and changed.
    """

    sources: Sources

    def perform(self, action: Action) -> Outcome:
        """Do one of :mod:`celery_nexus.actions`, and write it to the audit log.

        What could not be done to a target is said in the outcome; what could not be done at all is raised.

        >>> from celery_nexus.actions.queues import ResumeQueue
        >>> nexus.perform(ResumeQueue("celery")).message
        'celery: was not paused'
        """
        return perform(action, self.sources)

    def plan(self, action: Action) -> Plan:
        """Find and count what an action is about, and change nothing: its dry run.

        >>> from celery_nexus.actions.queues import PurgeQueue
        >>> nexus.plan(PurgeQueue("celery")).count
        1
        """
        return action.plan(self.sources)


def list_names(names: Names) -> tuple[str, ...]:
    """Return one name, or several, as several."""
    return (names,) if isinstance(names, str) else tuple(names)
