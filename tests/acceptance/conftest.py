"""One running stack for all acceptance tests of a process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.stack import RunningStack, run


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack on its own embedded broker, started and stopped by the command line."""
    home = Path(tmp_path_factory.mktemp("stack"))
    started = run(home, "nexus-tui", "up", "--detach", timeout_s=180)
    assert started.code == 0, started.err
    (home / "uploads").mkdir(exist_ok=True)
    yield RunningStack(home)
    run(home, "nexus-tui", "down", timeout_s=120)
