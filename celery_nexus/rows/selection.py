"""Selections: the messages of a queue that a change is about, and their count at the time of asking."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Selection:
    """What waits in a queue and matches a filter.

    Attributes:
        queue: Its name.
        filter_text: In the filter language; empty for all.
    """

    queue: str
    filter_text: str = ""

    @property
    def words(self) -> str:
        """Name it: ``email_queue`` or ``email_queue matching task:send*``."""
        return f"{self.queue} matching {self.filter_text}" if self.filter_text else self.queue


@dataclass(frozen=True, slots=True)
class Frozen:
    """The messages that matched at one moment: what is published later is never touched.

    Attributes:
        selection: What was asked for.
        by_list: Priority of a list to the digests of its messages, each with how many messages ran before it.
        by_task: Count by task name, the most frequent first.
        waiting: How many messages were looked at.
    """

    selection: Selection
    by_list: dict[int, dict[int, int]] = field(default_factory=dict[int, dict[int, int]])
    by_task: dict[str, int] = field(default_factory=dict[str, int])
    waiting: int = 0

    @property
    def count(self) -> int:
        """How many messages matched."""
        return sum(map(len, self.by_list.values()))
