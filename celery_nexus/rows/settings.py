"""Row of a setting in force, its secrets masked."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of ``nexus-tui config``: a value, and where it came from."""

    name: str
    value: str | bool | None
    source: str
