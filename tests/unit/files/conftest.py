"""Folders for uploads and outputs, and readers run in the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.documents import Read, make_reader
from workers.services import sandbox


@pytest.fixture
def uploads(tmp_path: Path) -> Path:
    folder = tmp_path / "uploads"
    folder.mkdir()
    return folder


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    return tmp_path / "outputs"


@pytest.fixture
def read(uploads: Path, outputs: Path) -> Read:
    """Read an upload by a reader's name: everything, or the operations given."""
    return make_reader(uploads, outputs)


@pytest.fixture(scope="session", autouse=True)
def _no_zygote_stays() -> Iterator[None]:
    yield
    sandbox.close()
