"""Choice of the broker that a probe asks, as in :mod:`nexus_tui.front_door.door`, without importing an application."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.connection.errors import BrokerUrlError
from celery_nexus.errors import Invalid

if TYPE_CHECKING:
    from celery_nexus.project import Project

SETTING = "NEXUS_REDIS_URL"
HOME = "NEXUS_HOME"
BROKER_VARIABLE = "CELERY_BROKER_URL"
NO_IMPORT = (
    "-A would import the application and Celery with it, which takes longer than a health check may: give -b URL or "
    "set CELERY_BROKER_URL"
)
NOTHING = f"no broker is named: give -b URL, or set {BROKER_VARIABLE}"


def find_broker(broker: str | None, application: str | None, context: str | None) -> tuple[BrokerUrl, str | None]:
    """Return the broker that is meant, and the prefix that a context names.

    Raises:
        ConfigError: An address, a context or a file can't be used.
        Invalid: Nothing is named, or only what would have to be imported.
    """
    if broker is not None:
        return BrokerUrl.parse(broker), None
    if context is not None:
        return _of_context(context)
    if application is not None:
        raise Invalid(NO_IMPORT)
    return _of_variable(SETTING, os.environ) or _of_project() or _of_place(), None


def _of_context(name: str) -> tuple[BrokerUrl, str | None]:
    from nexus_tui.front_door.opening import user_contexts

    context = user_contexts().get(name).expand_variables(os.environ)
    if context.broker is None:
        raise Invalid(f"the context {name} names an application: {NO_IMPORT}")
    return BrokerUrl.parse(context.broker), context.prefix


def _of_variable(name: str, values: Mapping[str, str | None]) -> BrokerUrl | None:
    text = values.get(name)
    if not text:
        return None
    try:
        return BrokerUrl.parse(text)
    except BrokerUrlError as error:
        raise BrokerUrlError(f"{name}: {error}") from None


def _of_project() -> BrokerUrl | None:
    """Return the broker that the settings of a stack's project name, beside its configuration in ``.env``."""
    project = _project()
    return None if project is None else _of_variable(SETTING, _settings_file(project))


def _of_place() -> BrokerUrl:
    """Return the broker of Celery's variable, else the embedded one of the stack of this place."""
    found = _of_variable(BROKER_VARIABLE, os.environ)
    project = None if found else _project()
    if found is None and project is not None:
        found = _embedded(project)
    if found is None:
        raise Invalid(NOTHING)
    return found


def _project() -> Project | None:
    from celery_nexus.project import find_project

    return find_project()


def _settings_file(project: Project) -> Mapping[str, str | None]:
    file = project.root / ".env"
    if not file.is_file():
        return {}
    try:
        from dotenv import dotenv_values
    except ModuleNotFoundError:  # a project whose settings are read by another thing
        return {}
    return dotenv_values(file)


def _embedded(project: Project) -> BrokerUrl | None:
    from celery_nexus.embedded_broker.password import read_embedded_password
    from celery_nexus.paths import Paths
    from celery_nexus.project import DEFAULT_HOME

    home = os.environ.get(HOME) or _settings_file(project).get(HOME) or str(project.root / DEFAULT_HOME)
    paths = Paths.of(Path(home))
    if not paths.broker_password.exists():
        return None
    return BrokerUrl.for_socket(paths.broker_socket, read_embedded_password(paths))
