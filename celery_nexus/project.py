"""A project: the folder of a ``supervisor.conf`` that names its Celery application in a section ``[nexus]``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from configparser import Error as ConfigurationError
from configparser import RawConfigParser
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from celery_nexus.extras import require

if TYPE_CHECKING:
    from celery import Celery

FILE = "supervisor.conf"
SECTION = "nexus"
DEFAULT_HOME = "var"
"""Folder of a project's run-time files, where its application names no other."""


@dataclass(frozen=True)
class Project:
    """Where a stack is started from.

    Attributes:
        root: Folder of its supervisor.conf; its programs start there.
        application: The Celery application, as ``celery -A`` takes it.
    """

    root: Path
    application: str

    @property
    def configuration(self) -> Path:
        """Its supervisor.conf."""
        return self.root / FILE

    def load(self) -> Celery:
        """Import the application as ``celery -A`` does in the project's folder, without its tasks.

        Raises:
            SourceError: Celery is not installed.
        """
        require("celery", "an application")
        from celery.app.utils import find_app

        if str(self.root) not in sys.path:
            sys.path.insert(0, str(self.root))
        return find_app(self.application)


def read_project(folder: Path) -> Project | None:
    """Return the project of a folder; None when it has no supervisor.conf that names an application."""
    parser = RawConfigParser(strict=False)
    try:
        parser.read(folder / FILE)
    except (ConfigurationError, UnicodeDecodeError, OSError):
        return None
    application = parser.get(SECTION, "application", fallback="").strip()
    return Project(folder, application) if application else None


def find_project() -> Project | None:
    """Find the project that is meant here.

    That is the nearest one from the working directory upwards; elsewhere the one whose virtual environment, or
    checkout, this is.
    """
    return next((found for folder in _candidates() if (found := read_project(folder))), None)


def _candidates() -> Iterator[Path]:
    try:
        here = Path.cwd()
        yield from (here, *here.parents)
    except OSError:  # the folder was removed
        pass
    yield Path(sys.prefix).parent
    yield Path(__file__).resolve().parent.parent
