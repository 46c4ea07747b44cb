"""What a benchmark needs and this machine has not, said in one line instead of a traceback."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from types import TracebackType
from typing import Any

INSTALL = "make test installs what benchmarks compare with (requirements-dev.lock)"


class ChildFailed(Exception):
    """One side of a benchmark, a process of its own, did not end well; the message has its own last words."""


@dataclass(frozen=True)
class NotMeasured:
    """A figure that could not be measured, and what it lacks."""

    name: str
    lacks: str


def is_installed(module: str) -> bool:
    """Tell whether a library that a figure is compared with is installed."""
    return find_spec(module) is not None


def explain_failure(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Say what is lacking; anything else as Python does."""
    if isinstance(error, ModuleNotFoundError):
        print(f"this benchmark lacks {error.name}: {INSTALL}", file=sys.stderr)
    elif isinstance(error, ChildFailed):
        print(error, file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


def run_child(command: Sequence[str], **options: Any) -> str:
    """Run one side as a process of its own; returns what it printed.

    Raises:
        ChildFailed: It did not end well.
    """
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
    return finish_child(child)


def finish_child(child: subprocess.Popen[str], timeout_s: float = 600) -> str:
    """Wait for the end of one side; returns what it printed since it was read last.

    Raises:
        ChildFailed: It did not end well, or printed nothing.
    """
    output, errors = child.communicate(timeout=timeout_s)
    if child.returncode or not output.strip():
        words = (errors or "").strip().splitlines()[-1:] or ["it said nothing"]
        raise ChildFailed(f"{' '.join(map(str, child.args))[-120:]} ended with code {child.returncode}: {words[0]}")  # type: ignore[arg-type]
    return output
