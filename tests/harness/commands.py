"""Python programs that tests run to their end: what they printed, and how they ended."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.harness.places import BIN, ROOT
from tests.harness.processes import kill, launch


@dataclass(frozen=True)
class CommandResult:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed on stdout, which must be one JSON document."""
        return json.loads(self.out)


def run_python(
    *words: str, environment: Mapping[str, str], folder: Path = ROOT, timeout_s: float = 60, is_well: bool = False
) -> CommandResult:
    """Run a Python program to its end.

    Args:
        words: After ``python``: ``-m`` and a module, ``-c`` and code, or a file; its arguments.
        environment: Its whole environment.
        folder: Where it runs.
        timeout_s: Seconds after which it is killed.
        is_well: Whether it has to end with 0.

    Raises:
        subprocess.TimeoutExpired: It did not end in time.
        AssertionError: It did not end well.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = launch(words, environment=environment, folder=folder, output=output, errors=errors)
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            kill(process)
            raise
        texts = []
        for file in (output, errors):
            file.seek(0)
            texts.append(file.read().decode())
    done = CommandResult(code, *texts)
    assert not is_well or code == 0, done
    return done


def run_program(command: str, *words: str, **told: Any) -> CommandResult:
    """Run a program of the virtual environment, which is Python or written in it, as :func:`run_python` does."""
    python = words if command == "python" else (str(BIN / command), *words)
    return run_python(*python, **told)
