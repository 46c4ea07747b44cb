"""What all tests share: each test process has a home, a broker and an environment of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_home = Path(tempfile.mkdtemp(prefix="nexus-test-"))
for _name in [name for name in os.environ if name.startswith(("NEXUS_", "ANTHROPIC_", "OPENAI_"))]:
    del os.environ[_name]
# Before anything of ours is imported: settings are read once a process.
os.environ["NEXUS_HOME"] = str(_home)

from tests.harness.servers import Broker, embedded_broker  # noqa: E402


def pytest_unconfigure() -> None:
    """Remove this process's home."""
    shutil.rmtree(_home, ignore_errors=True)


@pytest.fixture(scope="session")
def home() -> Path:
    """The ``NEXUS_HOME`` of this test process."""
    return _home


@pytest.fixture(scope="session")
def broker(home: Path) -> Iterator[Broker]:
    """A real broker for this test process, the one that ``settings()`` names."""
    with embedded_broker(home) as running:
        yield running
