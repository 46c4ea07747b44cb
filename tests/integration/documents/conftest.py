"""Documents made by other programs, read in the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.documents import Read, make_reader
from tests.integration.documents import office_suite
from tests.integration.documents.office_suite import Suite
from workers.services import sandbox


@pytest.fixture(scope="session")
def uploads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("uploads", numbered=True)


@pytest.fixture(scope="session")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("outputs", numbered=True)


@pytest.fixture(scope="session")
def read(uploads: Path, outputs: Path) -> Iterator[Read]:
    """Read an upload by a reader's name: everything, or the operations given."""
    yield make_reader(uploads, outputs)
    sandbox.close()


@pytest.fixture(scope="session")
def suite(uploads: Path) -> Suite:
    """LibreOffice, which takes long to start, and its documents in the folder of uploads."""
    suite = Suite(uploads)
    suite.make(office_suite.CONVERSIONS)
    return suite
