"""A whole stack for tests: real supervisord, broker, workers, recorder and beat, in a home of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.harness.commands import CommandResult, run_program, run_python
from tests.harness.places import ROOT


@dataclass(frozen=True)
class RunningStack:
    """A stack in a home of its own.

    Attributes:
        home: Its ``NEXUS_HOME``.
    """

    home: Path

    @property
    def environment(self) -> dict[str, str]:
        """Environment of every program that means this stack."""
        return environment(self.home)

    def run(self, *command: str, timeout_s: float = 90, **variables: str) -> CommandResult:
        """Run a program of the virtual environment from a folder that has nothing to do with the checkout."""
        return run(self.home, *command, timeout_s=timeout_s, variables=variables)

    def nexus(self, *arguments: str, timeout_s: float = 90, **variables: str) -> CommandResult:
        """Run ``nexus-tui``."""
        return self.run("nexus-tui", *arguments, timeout_s=timeout_s, **variables)

    def celery(self, *arguments: str, timeout_s: float = 60) -> CommandResult:
        """Run ``celery -A config.celery_config`` in the checkout, as its users do."""
        return run(self.home, "celery", "-A", "config.celery_config", *arguments, timeout_s=timeout_s, folder=ROOT)


def environment(home: Path) -> dict[str, str]:
    """Environment of a program that means the stack in ``home``."""
    return {**os.environ, "NEXUS_HOME": str(home), "LC_ALL": "C.UTF-8", "PYTHONPATH": str(ROOT)}


def run(
    home: Path,
    *command: str,
    timeout_s: float = 90,
    folder: Path | None = None,
    variables: Mapping[str, str] | None = None,
) -> CommandResult:
    """Run a program of the virtual environment for the stack in ``home``."""
    told = {**environment(home), **(variables or {})}
    return run_program(*command, environment=told, folder=folder or home, timeout_s=timeout_s)


def plain_client(url: str, code: str) -> CommandResult:
    """Run code in a Python that does not see this project: ``URL`` is the broker's address for kombu."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NEXUS_")}
    kept.pop("PYTHONPATH", None)
    return run_python("-c", f"URL = {url!r}\n{code}", environment=kept, folder=Path("/"))
