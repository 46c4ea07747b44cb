"""Label values in bounded number: the first that come keep a series of their own, the rest share one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from celery_nexus.rows.text import safe_text

OTHER = "other"
"""Label value of everything beyond the bound."""

MAX_CHARS = 200


@dataclass
class Labels:
    """The values of one label. Whoever got a series keeps it, so that counters never fall.

    Attributes:
        limit: At most so many values beside :data:`OTHER`.
    """

    limit: int
    _named: dict[str, str] = field(default_factory=dict[str, str])
    _dropped: set[str] = field(default_factory=set[str])

    def admit(self, values: Iterable[str]) -> None:
        """Give values a series of their own while there is room, in this order."""
        for value in values:
            if value not in self._named:
                if len(self._named) < self.limit:
                    self._named[value] = safe_text(value, MAX_CHARS)
                else:
                    self._dropped.add(value)

    def write(self, value: str) -> str:
        """Return the label of a value: without control characters, cut when long, or :data:`OTHER`."""
        return self._named.get(value, OTHER)

    @property
    def dropped(self) -> int:
        """How many values share :data:`OTHER`."""
        return len(self._dropped)
