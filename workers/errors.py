"""Errors of the workers. Each says what failed, on what, and what to do.

::

    TaskError                     a run can't give its result; final, never retried
    ├── InvalidArgument           invalid_argument     which argument, what was wrong, what would be right
    ├── PathNotAllowed            path_not_allowed     a path outside its root, or no regular file
    ├── NotConfigured             not_configured       a setting is missing; names the variable
    ├── ProviderRefused           provider_refused     an AI provider says no: key, model, quota or request
    ├── BadAnswer                 bad_answer           an AI provider's answer can't be used; says which way
    ├── MailRefused               mail_refused         a server's final no, with its code and words
    ├── MessageTooLarge           message_too_large    no worker would take it (workers.delivery.publication)
    ├── OutcomeUnknown            outcome_unknown      it may have happened or not; not repeated by itself
    ├── DocumentError             a file that can't be processed
    │   ├── FileMissing           not_found
    │   ├── Encrypted             encrypted
    │   ├── Corrupt               corrupt
    │   ├── UnsupportedFormat     unsupported_format   says what was found by content
    │   ├── TooLarge              too_large            refused before parsing
    │   ├── TooComplex            too_complex          memory or structure beyond the limit
    │   ├── TimedOut              timeout
    │   ├── UnsafeXml             unsafe_xml           a DOCTYPE
    │   ├── StorageFull           storage_full
    │   └── Crashed               crashed              the parser's process died
    └── TransientError            transient            can pass by itself: retried by the family's policy

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


class PathNotAllowed(TaskError):
    """A path leaves its root, or is no regular file."""

    code = "path_not_allowed"


class NotConfigured(TaskError):
    """A setting that this task needs is missing; the message names the variable."""

    code = "not_configured"


class ProviderRefused(TaskError):
    """An AI provider refuses the request: its key, model, quota or form; asking again changes nothing."""

    code = "provider_refused"


class BadAnswer(TaskError):
    """An AI provider answered with success, but not with a usable message.

    Final: the answer may have been paid for. The first word after the code is its kind: ``empty`` (no text),
    ``malformed`` (no message at all) or ``truncated`` (ends in the middle).
    """

    code = "bad_answer"


class MailRefused(TaskError):
    """A mail server said no for good; the message has its code and words."""

    code = "mail_refused"


class OutcomeUnknown(TaskError):
    """An effect may have happened or not: its run was killed in the middle. A person decides about another."""

    code = "outcome_unknown"


class DocumentError(TaskError):
    """A file can't be processed."""

    code = "document"


class FileMissing(DocumentError):
    """There is no such file."""

    code = "not_found"


class Encrypted(DocumentError):
    """The document needs a password."""

    code = "encrypted"


class Corrupt(DocumentError):
    """The document is damaged or cut short."""

    code = "corrupt"


class UnsupportedFormat(DocumentError):
    """The content is of another kind than the task reads."""

    code = "unsupported_format"


class TooLarge(DocumentError):
    """The document is larger than the limit, unpacked or as it is."""

    code = "too_large"


class TooComplex(DocumentError):
    """The document's structure needs more memory than a task may have."""

    code = "too_complex"


class TimedOut(DocumentError):
    """The document took longer than a task may take."""

    code = "timeout"


class UnsafeXml(DocumentError):
    """The document's XML declares a DOCTYPE, which can pull in files or explode."""

    code = "unsafe_xml"


class StorageFull(DocumentError):
    """There is no room for the output."""

    code = "storage_full"


class Crashed(DocumentError):
    """The process that read the document died."""

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
