"""Choice of the application that is opened: the named one, else the stack of this folder.

What comes first wins: the command line (``-A``, ``--broker``), the setting ``NEXUS_REDIS_URL`` of our own stack,
Celery's ``CELERY_BROKER_URL``, the stack of the project that is meant here. A broker that is named beside ``-A``
comes before the application's own.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import celery_nexus
from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.connection.errors import BrokerUrlError
from celery_nexus.errors import Invalid
from celery_nexus.project import DEFAULT_HOME, Project, find_project
from celery_nexus.rows.settings import Setting
from celery_nexus.sources import Sources

if TYPE_CHECKING:
    from celery import Celery

    from celery_nexus.deployment import Deployment

OWN = "workers.deployment"
"""Module of the checkout's own stack: its ``own_deployment()`` says what is known of it without importing Celery."""

_CHECKOUT = Path(celery_nexus.__file__).resolve().parents[1]
BROKER_VARIABLE = "CELERY_BROKER_URL"
RESULTS_VARIABLE = "CELERY_RESULT_BACKEND"
READ_ONLY_VARIABLE = "NEXUS_READ_ONLY"
_BROKER_VARIABLES = (BROKER_VARIABLE, "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL")
_YES = frozenset({"1", "true", "yes", "on", "t", "y"})


@dataclass(frozen=True)
class Door:
    """What was named.

    Attributes:
        application: What ``celery -A`` takes; None for none.
        broker: URL of a broker; None for none.
        prefix: Which of the applications there (its ``global_keyprefix``); None: all of them.
        is_read_only: Whether it was asked that every change is refused.
        app: The application itself, when Celery has imported it for us.
    """

    application: str | None = None
    broker: str | None = None
    prefix: str | None = None
    is_read_only: bool = False
    app: Celery | None = None

    @property
    def is_own(self) -> bool:
        """Whether nothing leads to another application than the stack of this place."""
        if self.application is not None or self.broker is not None:
            return False
        return not os.environ.get(BROKER_VARIABLE) or _environments_broker(own_deployment()) is None


def own_deployment() -> Deployment | None:
    """Return the stack of this place, which is opened when nothing is named; None where there is none.

    Raises:
        ConfigError: A setting of it can't be used.
        Invalid: Its application can't be imported.
    """
    project = find_project()
    if project is None:
        return None
    if str(project.root) not in sys.path:
        sys.path.insert(0, str(project.root))
    if project.root != _CHECKOUT:
        return _deployment_of(project)
    found: Deployment = import_module(OWN).own_deployment()
    return found


def _deployment_of(project: Project) -> Deployment:
    from celery_nexus.application_import import import_application
    from celery_nexus.source_factory import deployment_of

    return deployment_of(import_application(project.application), project.root / DEFAULT_HOME)


def is_read_only() -> bool:
    """Tell whether the operator's settings let nothing be changed."""
    said = os.environ.get(READ_ONLY_VARIABLE, "").strip().lower() in _YES
    project = None if said else find_project()
    own = own_deployment() if project is not None and project.root == _CHECKOUT else None
    return said or (own is not None and own.is_read_only)


def open_sources(door: Door) -> Sources:
    """Make the sources; nothing is read yet, but the layout of another broker's keys.

    Whose a broker is, is what we are told: our stack's is the one of the settings, any other is somebody else's.

    Raises:
        ConfigError: A setting, or the URL, can't be used.
        Invalid: The application can't be imported, nothing is named and there is no stack here, or a prefix is given
            for our own.
        Unreachable: The other broker does not answer.
    """
    if door.application is not None:  # our own code is not looked at: its packages' names may be somebody's
        return _open_application(door.application, door)
    from celery_nexus.source_factory import open_broker, open_deployment

    own = own_deployment()
    read_only = door.is_read_only or is_read_only()
    url = BrokerUrl.parse(door.broker) if door.broker is not None else _environments_broker(own)
    if url is not None and (own is None or url != own.broker):
        return open_broker(url, prefix=door.prefix, results=_results(), read_only=read_only)
    if own is None:
        raise Invalid("there is no stack here, and nothing is named: give --broker URL, or -A APPLICATION as to celery")
    if door.prefix:
        raise Invalid("--prefix is for another application: give its --broker, too")
    return open_deployment(own, read_only=read_only)


def find_broker(door: Door) -> tuple[BrokerUrl, str | None] | None:
    """Name the broker of an application and its keys' prefix without asking it; None where it is not told apart.

    Raises:
        ConfigError: A setting, or the URL, can't be used.
        Invalid: The application can't be imported.
    """
    if door.application is None:
        url = BrokerUrl.parse(door.broker) if door.broker is not None else _environments_broker(own_deployment())
        return None if url is None else (url, door.prefix)
    from celery_nexus.installation import broker_of, prefix_of

    app = _import(door.application, door.broker) if door.app is None else door.app
    return broker_of(app), prefix_of(app)


def describe_choice(door: Door) -> Setting:
    """Say what is opened, and what led to it, for ``nexus-tui config``."""
    if door.application is not None:
        return Setting("opens", f"-A {door.application}", "command line")
    if door.broker is not None:
        return Setting("opens", BrokerUrl.parse(door.broker).masked, "command line")
    own = own_deployment()
    url = _environments_broker(own)
    if url is not None:
        return Setting("opens", url.masked, f"environment {BROKER_VARIABLE}")
    return Setting("opens", None if own is None else own.broker.masked, "the stack of this place")


def describe_variables() -> tuple[Setting, ...]:
    """List Celery's own variables that are heeded, their secrets masked."""
    return tuple(_variable(name) for name in (BROKER_VARIABLE, RESULTS_VARIABLE))


def _variable(name: str) -> Setting:
    from celery_nexus.privacy.masking import mask_text

    text = os.environ.get(name)
    return Setting(name.lower(), mask_text(text) if text else None, f"environment {name}" if text else "default")


def _environments_broker(own: Deployment | None) -> BrokerUrl | None:
    """Return the broker that Celery's variable names, unless a setting names the one of our own stack.

    Raises:
        BrokerUrlError: It is none of Redis or Valkey.
    """
    text = os.environ.get(BROKER_VARIABLE)
    if not text or (own is not None and not own.is_embedded):
        return None
    try:
        return BrokerUrl.parse(text)
    except BrokerUrlError as error:
        raise BrokerUrlError(f"{BROKER_VARIABLE}: {error}") from None


def _open_application(name: str, door: Door) -> Sources:
    from celery_nexus.application_import import load_tasks
    from celery_nexus.source_factory import open_application

    if door.prefix is not None:
        raise Invalid("--prefix is for a broker alone: an application given by -A says which its keys are")
    app = _import(name, door.broker) if door.app is None else load_tasks(door.app, name)
    read_only = door.is_read_only or os.environ.get(READ_ONLY_VARIABLE, "").strip().lower() in _YES
    return open_application(app, name=name, read_only=read_only)


def _import(name: str, broker: str | None) -> Celery:
    """Import an application; a broker that is named comes before the one of its settings, as with ``celery -b``."""
    from celery_nexus.application_import import import_application

    if broker is None:
        return import_application(name)
    url = BrokerUrl.parse(broker)
    os.environ.update(dict.fromkeys(_BROKER_VARIABLES, url.kombu))
    app = import_application(name)
    conf: Any = app.conf
    conf.broker_transport_options = {**(conf.broker_transport_options or {}), **url.transport_options}
    conf.broker_use_ssl = url.tls or False
    return app


def _results() -> BrokerUrl | None:
    """Return where results are kept, when the environment says so and it is a Redis."""
    try:
        return BrokerUrl.parse(os.environ.get(RESULTS_VARIABLE, ""))
    except BrokerUrlError:
        return None
