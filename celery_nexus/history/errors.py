"""Errors of the history.

::

    HistoryError           the history can't be read or written; one line for people
    ├── BadEvent           an event that makes no sense: counted and skipped
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
