"""Factory of the sources of one broker: of our deployment, or of any Celery application."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from celery_nexus.application_code import NO_CODE, ApplicationCode
from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.deployment import Deployment
from celery_nexus.paths import Paths
from celery_nexus.sources import Sources

if TYPE_CHECKING:
    from pathlib import Path

    from celery import Celery


def open_deployment(deployment: Deployment, *, read_only: bool = False) -> Sources:
    """Make the sources of an application that this library is installed in; nothing is read yet.

    Args:
        deployment: The application where it runs.
        read_only: Whether every change is refused.
    """
    from celery_nexus.broker import BrokerSource
    from celery_nexus.catalog.own import CatalogSource
    from celery_nexus.control.source import ControlSource
    from celery_nexus.runs.source import HistorySource
    from celery_nexus.stack.programs import SupervisorSource

    code, layout = deployment.code, deployment.layout
    source = BrokerSource(
        deployment.broker, code=code, separator=layout.separator, steps=layout.steps, prefix=layout.prefix
    )
    history = HistorySource(
        deployment.history,
        families={spec.family: spec.name for spec in code.queues},
        recorder_command=deployment.recorder_command,
    )
    source.ages.sent_at = history.find_sent_time
    return Sources(
        broker=source,
        control=ControlSource(deployment.broker, layout=layout, code=code),
        history=history,
        supervisor=SupervisorSource(deployment.supervisor),
        catalog=CatalogSource(code, deployment.broker),
        read_only=read_only,
        code=code,
        deployment=deployment,
        application=deployment.name,
    )


def open_broker(
    url: BrokerUrl,
    *,
    prefix: str | None = None,
    results: BrokerUrl | None = None,
    read_only: bool = False,
) -> Sources:
    """Make the sources of somebody's broker; nothing is read yet, but the layout of its keys.

    Args:
        url: The broker.
        prefix: Which of the applications there (its ``global_keyprefix``); None: all of them.
        results: Where results are kept; None: on the broker.
        read_only: Whether every change is refused.

    Raises:
        Unreachable: The broker does not answer.
        Refused: It is a Redis Cluster.
    """
    return _open_stock(url, prefix, NO_CODE, "", results=results, read_only=read_only)


def open_application(app: Celery, *, name: str = "", read_only: bool = False) -> Sources:
    """Make the sources of an application that is imported.

    One that this library is not installed in is somebody's: nothing of ours is written to its broker that was not
    asked for.

    Args:
        app: The application.
        name: What ``celery -A`` calls it, for command lines that are shown; empty when it has no such name.
        read_only: Whether every change is refused.

    Raises:
        BrokerUrlError: Its broker is neither Redis nor Valkey.
        Unreachable: The broker does not answer.
        Refused: It is a Redis Cluster.
    """
    from celery_nexus.broker.read.survey import Told
    from celery_nexus.delivery.layout import UNACKED, layout_of
    from celery_nexus.installation import broker_of, code_of, installation_of

    url, layout, code = broker_of(app), layout_of(app), code_of(app)
    if installation_of(app) is None:
        sources = _open_stock(url, layout.prefix, code, name, read_only=read_only)
        told = Told(layout.separator, layout.steps, layout.unacked_name != UNACKED)
        sources.broker.learn(layout.prefix, told)
        return sources
    return open_deployment(deployment_of(app, name=name), read_only=read_only)


def heed_permissions(sources: Sources) -> Sources:
    """Refuse every change at once where the broker lets this user only read, instead of one by one when it is made."""
    if sources.read_only or sources.broker.may_write():
        return sources
    why = f"the broker lets {sources.broker.url.username or 'this user'} only read"
    return replace(
        sources, read_only=True, why_read_only=why, how_to_write=f"{why} (ACL): connect as one who may write"
    )


def deployment_of(app: Celery, home: Path | None = None, *, name: str = "") -> Deployment:
    """Say where an application runs that this library is installed in.

    Args:
        app: The application.
        home: Folder of its run-time files when it names none; None: the user's folder for data.
        name: What ``celery -A`` calls it; empty for the stack of this place.

    Raises:
        BrokerUrlError: Its broker is neither Redis nor Valkey.
    """
    from celery_nexus.delivery.layout import layout_of
    from celery_nexus.history.places import data_folder, history_path
    from celery_nexus.installation import broker_of, code_of, installation_of

    url, layout = broker_of(app), layout_of(app)
    installation = installation_of(app)
    folder = (installation and installation.home) or home
    if folder is None:
        return Deployment(url, code_of(app), data_folder(), history_path(url, layout.prefix), layout, name=name)
    paths = Paths.of(folder)
    is_stack = not name or paths.run.is_dir()  # else another thing runs its programs
    return Deployment(
        url,
        code_of(app),
        paths.home,
        paths.history,
        layout,
        supervisor=paths.supervisor_socket if is_stack else None,
        logs=paths.log if is_stack else None,
        is_embedded=url.path == str(paths.broker_socket),
        name=name,
    )


def _open_stock(
    url: BrokerUrl,
    prefix: str | None,
    code: ApplicationCode,
    name: str,
    *,
    results: BrokerUrl | None = None,
    read_only: bool,
) -> Sources:
    from celery_nexus.broker import BrokerSource
    from celery_nexus.catalog.foreign import ForeignCatalog
    from celery_nexus.catalog.own import CatalogSource
    from celery_nexus.control.source import ControlSource
    from celery_nexus.runs.recording import Recording, origin_of
    from celery_nexus.runs.source import HistorySource
    from celery_nexus.stack.programs import SupervisorSource

    queues = tuple(code.app.amqp.queues) if code.is_here else ()
    source = BrokerSource.open_foreign(url, prefix, code=code, queues=queues)
    origin = origin_of(url, prefix, source.layouts)
    history = HistorySource(origin.path, is_foreign=True)
    source.ages.sent_at = history.find_sent_time
    control = ControlSource(url, code=code, foreign=source, results=results)
    return Sources(
        broker=source,
        control=control,
        history=history,
        supervisor=SupervisorSource(None),
        catalog=CatalogSource(code, url) if code.is_here else ForeignCatalog(source, control, history),
        read_only=read_only,
        recording=Recording(origin, history, lambda: control.find_event_channels(prefix)),
        prefix=prefix,
        code=code,
        application=name,
    )
