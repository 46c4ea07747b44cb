"""The built wheel, for all tests of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.wheels import build_wheel


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel of this checkout."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))
