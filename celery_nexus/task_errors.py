"""Errors of tasks in every application: each says what failed, on what, and what to do.

::

    TaskError                     a run can't give its result; final, never retried
    ├── InvalidArgument           invalid_argument     which argument, what was wrong, what would be right
    ├── MessageTooLarge           message_too_large    no worker would take it (delivery/transport/publication.py)
    ├── OutcomeUnknown            outcome_unknown      it may have happened or not; not repeated by itself
    ├── DocumentError             a file that can't be processed
    │   ├── Corrupt               corrupt
    │   ├── UnsupportedFormat     unsupported_format   says what was found by content
    │   ├── TooLarge              too_large            refused before parsing
    │   └── Crashed               crashed              the process of the run died
    └── TransientError            transient            can pass by itself: retried by the policy of its queue

An error has one argument, its message, so that it survives JSON, pickle and the result backend. The
message starts with the error's code.
"""

from __future__ import annotations

from typing import ClassVar


class TaskError(Exception):
    """A run can't give its result; ``code`` is stable, the message is for people.

    Args:
        message: One line: what failed, on what, and what to do. The code is put before it.
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str) -> None:
        prefix = f"{self.code}: "
        super().__init__(message if message.startswith(prefix) else prefix + message)


class InvalidArgument(TaskError):
    """An argument is wrong; the message names it and says what would be right."""

    code = "invalid_argument"


class OutcomeUnknown(TaskError):
    """An effect may have happened or not: its run was killed in the middle. A person decides about another."""

    code = "outcome_unknown"


class DocumentError(TaskError):
    """A file can't be processed."""

    code = "document"


class Corrupt(DocumentError):
    """The document is damaged or cut short."""

    code = "corrupt"


class UnsupportedFormat(DocumentError):
    """The content is of another kind than the task reads."""

    code = "unsupported_format"


class TooLarge(DocumentError):
    """The document is larger than the limit, unpacked or as it is."""

    code = "too_large"


class Crashed(DocumentError):
    """The process of the run, or the one that read its document, died."""

    code = "crashed"


class TransientError(TaskError):
    """Something that can pass by itself: the run is retried by its family's policy.

    Args:
        message: What failed.
        retry_after_s: Seconds that the other side asked to wait, or None for the family's policy.

    Attributes:
        may_be_done: Whether what was asked for was sent, so that it may have been done, and paid, all the same.
    """

    code = "transient"
    may_be_done = False

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
