"""Parser of exceptions and tracebacks: type, message, place, and the fingerprint that groups equal failures."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

MAX_MESSAGE = 4_000
_FRAME = re.compile(r'^  File "([^"\n]+)", line \d+, in ([^\n]+)$', re.MULTILINE)
_LAST = re.compile(r"^(?:[\w.]+\.)?(\w+)(?:: ([\s\S]*))?\Z")
_KIND = re.compile(r"^(?:[\w.]+\.)?(\w+)(?=: |$)", re.MULTILINE)
_REPR = re.compile(r"^(?:[\w.]+\.)?(\w+)\(([\s\S]*)\)\Z")
_WRAPPER = "ExceptionWithTraceback()"
"""Wrapper that billiard puts around an exception of its pool: a lost worker."""

_FOREIGN = ("/site-packages/", "/dist-packages/", "/lib/python")


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure as it is shown.

    Attributes:
        type: Class of the exception, without its module.
        error: ``Type: message``.
        place: File and function that raised it: the innermost that isn't a library's.
        traceback: As it came, or None.
    """

    type: str
    error: str
    place: str
    traceback: str | None


def parse_failure(exception: str, traceback: str) -> Failure:
    """Read an exception's repr, and its message from the traceback where that holds it unabridged."""
    traceback = traceback.strip("\n")
    match = None if exception.startswith(_WRAPPER) else _REPR.match(exception)
    kind = match[1] if match else _last_kind(traceback) or "Error"
    message = _unquote(match[2]) if match else exception.removeprefix(_WRAPPER)
    last = _LAST.match(_last_lines(traceback, kind))
    if last:
        message = last[2] or ""
    message = message[:MAX_MESSAGE]
    error = f"{kind}: {message}" if message else kind
    return Failure(kind[:200], error, _place(traceback), traceback or None)


def fingerprint(failure: Failure) -> str:
    """Name the group of failures of one type at one place: ``Type`` and place on two lines."""
    return f"{failure.type}\n{failure.place}"


def _last_kind(traceback: str) -> str | None:
    kinds = _KIND.findall(traceback)
    return kinds[-1] if kinds else None


def _last_lines(traceback: str, kind: str) -> str:
    """Return the traceback's end from the line that names the exception; its message may span lines."""
    starts = [match.start() for match in _KIND.finditer(traceback) if match[1] == kind]
    return traceback[starts[-1] :].removesuffix('\n"""') if starts else ""


def _unquote(text: str) -> str:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    return value if isinstance(value, str) else text


def _place(traceback: str) -> str:
    frames = _FRAME.findall(traceback)
    own = [frame for frame in frames if not any(part in frame[0] for part in _FOREIGN)]
    if not (own or frames):
        return ""
    file, function = (own or frames)[-1]
    return f"{'/'.join(file.split('/')[-2:])} in {function}"[:300]
