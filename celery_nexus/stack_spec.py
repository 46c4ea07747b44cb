"""Specification of a stack: project, application, broker, run-time files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.paths import Paths
from celery_nexus.private_files import make_private
from celery_nexus.project import DEFAULT_HOME, Project

if TYPE_CHECKING:
    from celery import Celery


@dataclass(frozen=True)
class StackSpec:
    """One stack.

    Attributes:
        project: Where it is started from.
        app: Its application.
        paths: Its run-time files.
        broker: Its broker.
        is_reliable: Whether its workers deliver reliably.
        folders: Further folders that its tasks need; made where they are missing.
    """

    project: Project
    app: Celery = field(repr=False)
    paths: Paths
    broker: BrokerUrl
    is_reliable: bool = True
    folders: tuple[Path, ...] = ()

    @property
    def is_embedded(self) -> bool:
        """Whether the stack runs its own broker."""
        return self.broker.path == str(self.paths.broker_socket)

    def make_folders(self) -> None:
        """Create the folders of run-time files, and those that its tasks need, where they are missing.

        Raises:
            OSError: One can't be created or written, or is not ours.
        """
        self.paths.make()
        for folder in self.folders:
            if folder.is_relative_to(self.paths.home) or not folder.exists():
                make_private(folder)


def stack_spec_of(project: Project) -> StackSpec:
    """Import a project's application and say what its stack is.

    An application may name further folders in its setting ``nexus_folders``.

    Raises:
        ConfigError: Its settings, or the address of its broker, can't be used.
    """
    app = project.load()
    from celery_nexus.installation import installation_of

    installation = installation_of(app)
    home = installation.home if installation else None
    return StackSpec(
        project,
        app,
        Paths.of(home or project.root / DEFAULT_HOME),
        BrokerUrl.parse(str(app.conf.broker_url or "")),
        is_reliable=installation is not None and installation.delivery,
        folders=tuple(map(Path, app.conf.get("nexus_folders", ()))),
    )
