"""Names of the actions: the commands of ``nexus-tui`` that change something."""

from __future__ import annotations

import shlex

_NAMES = (
    "submit retry revoke priority delay move delete undo pause resume purge reclaim start stop restart "
    "scale grow shrink autoscale drain shutdown pool-restart add-consumer cancel-consumer rate-limit time-limit forget "
    "events dead-letters chords history footprint"
)

ACTION_NAMES = frozenset(_NAMES.split())
"""What a context may allow."""


def name_of(command: str) -> str:
    """Return the action's name of a ``nexus-tui …`` line."""
    return shlex.split(command)[1]
