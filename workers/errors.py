"""Errors of the five task families, beside those that every application has (``celery_nexus/task_errors.py``).

::

    TaskError
    ├── PathNotAllowed            path_not_allowed     a path outside its root, or no regular file
    ├── NotConfigured             not_configured       a setting is missing; names the variable
    ├── ProviderRefused           provider_refused     an AI provider says no: key, model, quota or request
    ├── BadAnswer                 bad_answer           an AI provider's answer can't be used; says which way
    ├── MailRefused               mail_refused         a server's final no, with its code and words
    └── DocumentError             a file that can't be processed
        ├── FileMissing           not_found
        ├── Encrypted             encrypted
        ├── TooComplex            too_complex          memory or structure beyond the limit
        ├── TimedOut              timeout
        ├── UnsafeXml             unsafe_xml           a DOCTYPE
        └── StorageFull           storage_full
"""

from __future__ import annotations

from celery_nexus.task_errors import DocumentError, TaskError


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


class FileMissing(DocumentError):
    """There is no such file."""

    code = "not_found"


class Encrypted(DocumentError):
    """The document needs a password."""

    code = "encrypted"


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
