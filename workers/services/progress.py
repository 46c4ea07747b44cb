"""Progress of long work, reported by a service to its caller."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called by a service while it works."""

    def __call__(self, done: int, total: int | None, note: str = "") -> None:
        """Say that ``done`` of ``total`` (None: unknown) is done, and what comes now."""
        ...


def ignore_progress(done: int, total: int | None, note: str = "") -> None:
    """Progress that nobody asked for."""
