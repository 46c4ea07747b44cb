"""What an application was given by ``install``: its parts, its queues, the folder of its run-time files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from weakref import WeakKeyDictionary

from celery import Celery

from celery_nexus.queues import NO_QUEUES, QueueRegistry


@dataclass(frozen=True)
class Installation:
    """What one application has of the library.

    Attributes:
        queues: What it declared of its queues.
        delivery: Whether its workers deliver reliably.
        history: Whether its processes write the stream of events.
        home: Folder of the history and other run-time files; None for the user's own.
    """

    queues: QueueRegistry = NO_QUEUES
    delivery: bool = True
    history: bool = True
    home: Path | None = None


_installations: WeakKeyDictionary[Celery, Installation] = WeakKeyDictionary()


def note_installation(app: Celery, installation: Installation) -> None:
    """Keep what an application was given, for as long as the application lives."""
    _installations[app] = installation


def installation_of(app: Celery) -> Installation | None:
    """Return what an application was given; None for a plain one."""
    return _installations.get(app)


def queues_of(app: Celery) -> QueueRegistry:
    """Return what an application declared of its queues; nothing for a plain one."""
    found = installation_of(app)
    return found.queues if found else NO_QUEUES
