"""The one way to wait: until a condition holds, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def wait_until(
    condition: Callable[[], Any], what: str | Callable[[], str] = "", timeout_s: float = 30, every_s: float = 0.05
) -> Any:
    """Ask until the answer is true, and return it.

    Args:
        condition: What is asked.
        what: Words for what was awaited, or what tells more when it did not come: the end of a log.
        timeout_s: Seconds after which it has failed.
        every_s: Seconds between two questions.

    Raises:
        AssertionError: It never was true; the last answer is named.
    """
    answer = wait_for(condition, timeout_s, every_s)
    if not answer:
        told = what if isinstance(what, str) else what()
        raise AssertionError(f"not within {timeout_s:g} s: {told or 'it holds'}; the last answer was {answer!r}")
    return answer


def wait_for(condition: Callable[[], Any], timeout_s: float, every_s: float = 0.05) -> Any:
    """Ask until the answer is true or the time is over, and return the last answer."""
    ends = time.monotonic() + timeout_s
    while True:
        # A question may take long on a busy machine: what is true when its time is over is true.
        is_last = time.monotonic() >= ends
        answer = condition()
        if answer or is_last:
            return answer
        time.sleep(every_s)
