"""The terminal that the dashboard sits on, read without waking up while nobody types."""

from __future__ import annotations

import contextlib
import os
import select
from codecs import getincrementaldecoder
from collections.abc import Iterable
from typing import Any, TextIO, cast

from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

_AT_ONCE_BYTES = 4096
_REST_OF_A_KEY_S = 0.1
"""An Escape may be the begin of a longer key: the parser decides after so long without the rest."""


class QuietDriver(LinuxDriver):
    """Textual's driver for Unix with an input thread that sleeps until something is typed.

    Textual's own looks ten times a second whether it should end, and goes on for ever when the terminal is gone.
    """

    _wake = -1

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._file = cast(TextIO, _Forgiving(self._file))

    def run_input_thread(self) -> None:
        """Hand on what the terminal says until the dashboard ends or the terminal is gone."""
        parser = XTermParser(self._debug)
        decode = getincrementaldecoder("utf-8")("replace").decode
        woken, self._wake = os.pipe()
        try:
            while True:
                is_half = parser._timeout_time is not None  # pyright: ignore[reportPrivateUsage]
                ready, _, _ = select.select([self.fileno, woken], [], [], _REST_OF_A_KEY_S if is_half else None)
                if woken in ready:
                    return
                if ready:
                    typed = self._typed()
                    if not typed:
                        self._app.call_later(self._app.exit)
                        return
                    self._hand_on(parser.feed(decode(typed)))
                self._hand_on(parser.tick())
        finally:
            os.close(woken)

    def disable_input(self) -> None:
        """Wake the input thread, so that it ends, and give the terminal back."""
        wake, self._wake = self._wake, -1
        if wake >= 0:
            os.close(wake)  # the other end becomes readable
        super().disable_input()

    def _typed(self) -> bytes:
        try:
            return os.read(self.fileno, _AT_ONCE_BYTES)
        except OSError:  # EIO: the terminal was closed
            return b""

    def _hand_on(self, messages: Iterable[Message]) -> None:
        for message in messages:
            self.process_message(message)


class _Forgiving:
    """A terminal that may be gone: an error would end the thread that writes, and then block who hands it text."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._file.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._file.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
