"""Progress of a change that takes long, on a terminal; and Ctrl+C, which lets it end after the step at hand."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

from celery_nexus.rows.text import duration, number, rate, safe_text
from celery_nexus.steps import Steps

SHOWN_AFTER_S = 1.0
"""Time that a change may take in silence."""

INTERVAL_S = 0.5


@contextmanager
def show_progress(steps: Steps) -> Generator[None]:
    """Say how far a change is while it works, where somebody sees it; the first Ctrl+C ends it at a safe place.

    Args:
        steps: What the change tells.
    """
    ended = threading.Event()
    teller = threading.Thread(target=_tell, args=(steps, ended), name="progress", daemon=True)
    if sys.stderr.isatty():
        teller.start()
    try:
        with _interrupted_softly(steps):
            yield
    finally:
        ended.set()
        if teller.ident is not None:
            teller.join()


def describe_progress(steps: Steps) -> str:
    """Say it in one line: ``812 of 1,204 · 120/s · 3 s left``."""
    if steps.total is None:
        return "counts …"
    parts = [f"{number(min(steps.done, steps.total))} of {number(steps.total)}"]
    if steps.note:
        parts.append(safe_text(steps.note))
    elif steps.rest_s is not None:
        parts += [f"{rate(steps.rate_per_s)}/s", f"{duration(steps.rest_s)} left"]
    if steps.is_stopped:
        parts.append("ends after the step at hand")
    return " · ".join(parts)


def _tell(steps: Steps, ended: threading.Event) -> None:
    written = 0
    pause_s = SHOWN_AFTER_S
    while not ended.wait(pause_s):
        line = describe_progress(steps)
        sys.stderr.write(f"\r{line:<{written}}")
        sys.stderr.flush()
        written, pause_s = len(line), INTERVAL_S
    if written:
        sys.stderr.write(f"\r{'':<{written}}\r")
        sys.stderr.flush()


@contextmanager
def _interrupted_softly(steps: Steps) -> Generator[None]:
    """Let the first interrupt end a change after its step, and the second one at once."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        if steps.is_stopped:
            raise KeyboardInterrupt
        steps.stop("interrupted")
        sys.stderr.write("\nends after the step at hand; Ctrl+C again ends it at once\n")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
