"""Other people's programs that tests use: there, or the test is left out with the package's name."""

from __future__ import annotations

import os
import shutil

import pytest


def program(name: str, packages: str) -> str:
    """Return a program's path; without it a test fails in CI (``CI`` is set) and is skipped elsewhere."""
    path = shutil.which(name, path=f"/usr/bin:{os.environ.get('PATH', '')}")
    if path:
        return path
    missing = f"{name} is not installed; apt-get install --no-install-recommends {packages}"
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)
