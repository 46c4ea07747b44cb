"""Paths of this deployment, and the run-time files of its tasks."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from celery_nexus.paths import Paths
from celery_nexus.private_files import make_private

ROOT = Path(__file__).resolve().parent.parent
"""The checkout: the folder with ``supervisor.conf``."""

DEFAULT_HOME = ROOT / "var"


class PlatformPaths(Paths):
    """The run-time files of a stack whose tasks read and write documents and mail."""

    NAMES: ClassVar[frozenset[str]] = Paths.NAMES | {"outbox", "outputs", "tmp", "uploads"}

    @property
    def uploads(self) -> Path:
        """Default of ``NEXUS_UPLOAD_ROOT``."""
        return self.home / "uploads"

    @property
    def outputs(self) -> Path:
        """Default of ``NEXUS_OUTPUT_ROOT``."""
        return self.home / "outputs"

    @property
    def temporary(self) -> Path:
        """Working files of tasks; ``cleanup_temp_files`` removes what is old here, whatever it is."""
        return self.home / "tmp"

    @property
    def outbox(self) -> Path:
        """``.eml`` files, when no SMTP server is set."""
        return self.home / "outbox"

    def make(self) -> None:
        """Create the folders; see :meth:`celery_nexus.paths.Paths.make`."""
        super().make()
        make_private(self.temporary)
