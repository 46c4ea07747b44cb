"""Files of the user below her folders of configuration and of what can be lost."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from celery_nexus.user_files import config_folder


def config_path(name: str) -> Path:
    """Return the path of a file in :func:`~celery_nexus.user_files.config_folder`."""
    return config_folder() / name


def cache_path(name: str) -> Path:
    """Return the path of a file that can be lost (XDG Base Directory: ``XDG_CACHE_HOME``, else ``~/.cache``)."""
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (named if named.is_absolute() else Path.home() / ".cache") / "nexus" / name


def replace_file(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all.

    Raises:
        OSError: It can't be written.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, prefix=".", delete=False) as file:
        file.write(text)
    Path(file.name).replace(path)
