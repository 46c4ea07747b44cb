"""Errors of sources.

::

    SourceError            what was asked could not be read or changed; one line for people
    ├── Unreachable        nobody answers at that address (command line: exit 3)
    │   └── Unanswered     the connection broke after a change was sent: it may have been made
    ├── NotFound           there is no such queue, run, worker, program or task (exit 4)
    ├── Refused            the other side, or read-only mode, says no (exit 5)
    └── Invalid            what was asked makes no sense: wrong arguments, priority outside 0…9 (exit 2)
"""


class SourceError(Exception):
    """Something could not be read or changed; the message is one line without secrets."""


class Unreachable(SourceError):
    """Nobody answers at that address."""


class Unanswered(Unreachable):
    """The connection broke after a change was sent: it may have been made."""


class NotFound(SourceError):
    """There is no such queue, run, worker, program or task."""


class Refused(SourceError):
    """The other side, or read-only mode, says no."""


class Invalid(SourceError):
    """What was asked makes no sense."""
