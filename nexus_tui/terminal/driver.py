"""Terminal driver of the dashboard: no wake-ups while nobody types, and the terminal always restored."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import termios
import threading
from codecs import getincrementaldecoder
from collections.abc import Iterable
from typing import Any, TextIO, cast

from textual import events
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

_AT_ONCE_BYTES = 4096
_REST_OF_A_KEY_S = 0.1
"""Time for which an Escape may be the beginning of a longer key."""

_SIGNALS = (signal.SIGTERM, signal.SIGHUP)
_LEAVES_WITHIN_S = 4.0
"""Longest time from the order to end until the process is ended where it is, its terminal restored."""

_GIVE_BACK = (
    "\x1b[?2004l\x1b[?7h\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[<u\x1b[?1049l\x1b[?25h\x1b[?1004l\x1b[0m"
)
"""Escape codes that restore a terminal: no bracketed paste, line wrap, no mouse, no keyboard protocol, the first
screen, a cursor, no focus reports.
"""


class KeyParser(XTermParser):
    """Textual's parser, for which Escape and a key in one piece are two keys.

    A terminal sends the same bytes for Alt and a key. Nothing here is bound to Alt; over a slow line what was typed
    after Escape comes together with it, and must not be lost.
    """

    def _sequence_to_key_events(self, sequence: str, alt: bool = False) -> Iterable[events.Key]:
        if alt:
            yield events.Key("escape", "\x1b")
        elif len(sequence) == 2 and sequence[0] == "\x1b" and sequence[1] not in "[O":
            yield events.Key("escape", "\x1b")
            sequence = sequence[1]
        yield from super()._sequence_to_key_events(sequence)


class QuietDriver(LinuxDriver):
    """Textual's driver for Unix with an input thread that sleeps until something is typed.

    Textual's own looks ten times a second whether it should end, goes on for ever when the terminal is gone, and
    leaves the terminal as it is when a signal ends it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._file = cast(TextIO, _Forgiving(self._file))
        self._woken, self._wake = -1, -1
        self._is_suspended = False

    def start_application_mode(self) -> None:
        """Take the terminal; from now on signals give it back."""
        self._woken, self._wake = os.pipe()
        for number in _SIGNALS:
            signal.signal(number, self._end)
        super().start_application_mode()

    def suspend_application_mode(self) -> None:
        """Give the terminal back to the shell for a while."""
        self._is_suspended = True
        super().suspend_application_mode()

    def resume_application_mode(self) -> None:
        """Take the terminal again; one that was never given back is left alone."""
        if self._is_suspended:
            self._is_suspended = False
            super().resume_application_mode()

    def run_input_thread(self) -> None:
        """Hand on what the terminal says until the dashboard ends or the terminal is gone."""
        parser = KeyParser(self._debug)
        decode = getincrementaldecoder("utf-8")("replace").decode
        woken = self._woken
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

    def _end(self, number: int, _frame: object) -> None:
        """Leave as ``q`` does; when that takes too long, give the terminal back and end at once."""
        code = 128 + number
        self._loop.call_soon_threadsafe(self._app.exit, None, code)
        last = threading.Timer(_LEAVES_WITHIN_S, self._end_at_once, (code,))
        last.daemon = True
        last.start()

    def _end_at_once(self, code: int) -> None:
        with contextlib.suppress(OSError):  # a terminal that takes nothing must not hold us either
            os.set_blocking(self.fileno, False)
            os.write(self.fileno, _GIVE_BACK.encode())
        with contextlib.suppress(OSError):
            os.set_blocking(self.fileno, True)  # the shell shares it
        if self.attrs_before is not None:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self.fileno, termios.TCSANOW, self.attrs_before)
        os._exit(code)

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
