"""One look at an application for a support bundle, and what is known of it before anything is asked."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from celery_nexus.connection.errors import ConfigError
from celery_nexus.deployment import Deployment
from celery_nexus.errors import NotFound, SourceError, Unreachable
from celery_nexus.sources import Sources
from nexus_tui.bundle.known_secrets import KnownSecrets, find_in, find_in_environment, find_in_revealed
from nexus_tui.front_door.contexts import ContextsFile
from nexus_tui.front_door.door import Door, own_deployment
from nexus_tui.front_door.opening import user_contexts


@dataclass
class Inquiry:
    """What is asked for the parts of a bundle.

    Attributes:
        door: What was named.
        opened: Where everything is read; why not, when the broker did not answer.
        silence: How the broker failed to answer an earlier question; None while it answers.
    """

    door: Door
    opened: Sources | Unreachable
    silence: Unreachable | None = None

    @property
    def sources(self) -> Sources:
        """Where everything is read.

        Raises:
            Unreachable: They could not be opened.
        """
        if isinstance(self.opened, Unreachable):
            raise self.opened
        return self.opened

    @property
    def live(self) -> Sources:
        """The same for questions to the broker, which is not asked again when it did not answer once.

        Raises:
            Unreachable: It did not.
        """
        if self.silence is not None:
            raise self.silence
        return self.sources

    @property
    def own(self) -> Deployment | None:
        """The stack of this place, when it is what is looked at."""
        return own_deployment() if self.door.is_own else None

    @property
    def app_settings(self) -> dict[str, Any]:
        """Settings of the application that are not Celery's defaults.

        Raises:
            NotFound: Its code is not here.
            Invalid: It can't be imported.
        """
        if not self.sources.code.is_here:
            raise NotFound("the application's code is not here: -A APPLICATION names it")
        return self.sources.code.list_settings()

    def list_logs(self) -> list[Path]:
        """List the files of the programs' logs, and of what was recorded of another application."""
        sources = self.opened
        if isinstance(sources, Unreachable):
            return []
        found: list[Path] = []
        deployment = sources.deployment
        if deployment is not None and deployment.logs is not None and deployment.logs.is_dir():
            found += sorted(path for path in deployment.logs.iterdir() if path.suffix == ".log" and path.is_file())
        if sources.recording is not None:
            found.append(sources.recording.origin.path.with_suffix(".log"))
        return [path for path in found if path.is_file()]

    def collect_secrets(self) -> KnownSecrets:
        """Collect the secrets that can be known here, to take them out of every text."""
        return KnownSecrets(self._secrets())

    def _secrets(self) -> Iterator[str]:
        yield from find_in_environment()
        yield from find_in(self.door.broker)
        if not isinstance(self.opened, Unreachable):
            yield from find_in(self.opened.broker.url.redis_py)
        with suppress(SourceError, ConfigError):  # the part of the bundle says so
            yield from find_in(self.app_settings)
        if self.own is not None:
            yield from find_in_revealed(self.own.describe(False), self.own.describe(True))
        yield from _secrets_of(_contexts())


def _contexts() -> ContextsFile | None:
    try:
        return user_contexts()
    except (ConfigError, SourceError):  # its part of the bundle says so
        return None


def _secrets_of(file: ContextsFile | None) -> Iterator[str]:
    for context in () if file is None else file.contexts.values():
        missing = context.list_missing_variables(os.environ)
        whole = context if missing else context.expand_variables(os.environ)
        yield from find_in(whole.broker)
