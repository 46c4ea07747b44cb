"""Standard output that survives a closed reader (``| head -1``): the command finishes, its output is dropped."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import TextIO


class _Outliving(io.TextIOWrapper):
    """Text output that takes no harm when its reader is gone."""

    def write(self, text: str, /) -> int:
        """Write, or drop the text when nobody reads any more."""
        with ignore_closed_reader(self):
            return super().write(text)
        return len(text)

    def flush(self) -> None:
        """Hand on what is buffered, or drop it."""
        with ignore_closed_reader(self):
            super().flush()


_unread: set[int] = set()
"""File descriptors whose reader is gone."""


@contextmanager
def ignore_closed_reader(stream: TextIO) -> Generator[None]:
    """Take the loss of a stream's reader as the wish for no more of it; what comes goes nowhere."""
    try:
        yield
    except BrokenPipeError:
        number = stream.fileno()
        _unread.add(number)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)


def outlive_readers() -> None:
    """Let standard output and error outlive their readers."""
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    sys.stdout, sys.stderr = _outliving(sys.stdout), _outliving(sys.stderr)


def has_reader() -> bool:
    """Tell whether anybody still reads what is printed."""
    return not _unread


def _outliving(stream: TextIO) -> TextIO:
    try:
        stream.fileno()
    except (OSError, ValueError, AttributeError):  # closed, or no real file
        return stream
    is_line_buffered = bool(getattr(stream, "line_buffering", False))
    return _Outliving(stream.buffer, stream.encoding, stream.errors, line_buffering=is_line_buffered)
