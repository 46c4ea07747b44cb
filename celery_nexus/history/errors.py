"""Errors of the history.

::

    HistoryError           the history can't be read or written; one line for people
    ├── BadEvent           an event that makes no sense: counted and skipped
    ├── FilterError        a filter that can't be understood, with the place
    ├── AlreadyRecording   another recorder writes this file
    └── AlreadyArchiving   another process writes this archive
"""


class HistoryError(Exception):
    """The history can't be read or written; the message is one line."""


class BadEvent(HistoryError):
    """An event makes no sense."""


class AlreadyRecording(HistoryError):
    """Another recorder writes this file."""


class AlreadyArchiving(HistoryError):
    """Another process writes this archive."""


class FilterError(HistoryError):
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
