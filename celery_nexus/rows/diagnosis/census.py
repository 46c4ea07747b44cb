"""A census of a database's keys, as far as its bounds allow."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReplyKey:
    """A list of answers to a remote control question.

    Attributes:
        key: Its whole name.
        size_bytes: What it takes in the broker's memory.
    """

    key: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class KeyCensus:
    """What was counted.

    Attributes:
        looked_at: Keys that were looked at.
        total: Keys that there are.
        replies: Lists of answers without an expiry, of which nobody reads.
        results: Stored results among the keys that were looked at.
        sampled: Results that were looked at more closely.
        lasting: Results of the sample that never expire.
        unread: Results of the sample, a minute old or more, that nobody read since they were written.
        aged: Results of the sample that are a minute old or more, as far as the server tells.
    """

    looked_at: int = 0
    total: int = 0
    replies: tuple[ReplyKey, ...] = ()
    results: int = 0
    sampled: int = 0
    lasting: int = 0
    unread: int = 0
    aged: int = 0

    @property
    def share(self) -> float:
        """Share of the keys that was looked at; 1 of none."""
        return 1.0 if self.looked_at >= self.total else self.looked_at / self.total
