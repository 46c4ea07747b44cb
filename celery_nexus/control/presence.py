"""Presence of workers that missed a ping: their last replies, and how many they have missed since."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

MOST_MISSED = 2
"""Replies in a row that a worker without a fresh heartbeat may miss before it is silent: under load one is missed."""


class Presence:
    """Remembers the answers of workers. Not thread-safe: whoever owns it locks."""

    def __init__(self) -> None:
        self._last: dict[str, Mapping[str, Any]] = {}
        self._missed: dict[str, int] = {}

    def note(self, asked: Iterable[str], answers: Mapping[str, Mapping[str, Any]]) -> None:
        """Take note of a question: who was asked, and who answered what."""
        self._last |= answers
        for name in asked:
            self._missed[name] = 0 if name in answers else self._missed.get(name, 0) + 1

    def list_awaited(self) -> list[str]:
        """Name those that answered once, and are not silent yet: they are asked on."""
        return [name for name in self._last if self._missed.get(name, 0) < MOST_MISSED]

    def list_known(self) -> list[str]:
        """Name those that ever answered."""
        return list(self._last)

    def list_missed(self) -> list[str]:
        """Name those that did not answer when they were asked last."""
        return [name for name, missed in self._missed.items() if missed]

    def is_silent(self, name: str, *, is_beating: bool) -> bool:
        """Tell whether nothing is heard of a worker any more."""
        return not is_beating and self._missed.get(name, MOST_MISSED) >= MOST_MISSED

    def last_answer(self, name: str) -> Mapping[str, Any] | None:
        """Return a worker's last answer; None before the first."""
        return self._last.get(name)

    def forget(self, names: Iterable[str]) -> None:
        """Forget workers that are gone."""
        for name in names:
            self._last.pop(name, None)
            self._missed.pop(name, None)
