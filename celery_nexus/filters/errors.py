"""Error of the filter language."""

from __future__ import annotations


class FilterError(Exception):
    """A filter can't be understood.

    Args:
        message: What is wrong and what would be right.
        position: Index of the character where it is wrong; the filter's length when something is missing at its end.
        length: How many characters are wrong.
    """

    def __init__(self, message: str, position: int, length: int = 1) -> None:
        super().__init__(message)
        self.position = position
        self.length = length
