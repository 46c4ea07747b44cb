"""Makes the sources of one broker: ours with everything we know, or any Celery application's."""

from __future__ import annotations

from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.errors import Invalid
from celery_nexus.sources import Sources
from config.settings import Settings, settings


def connect(broker: str | None = None, *, prefix: str | None = None, read_only: bool = False) -> Sources:
    """Make the sources; nothing is read yet, but the layout of another broker's keys.

    Whose a broker is, is what we are told: ours is the one of the settings, any other is somebody else's.

    Args:
        broker: URL of another broker than the one in the settings: its programs and code are unknown to us.
        prefix: Which of the applications there (its ``global_keyprefix``); None: all of them.
        read_only: Whether every change is refused.

    Raises:
        ConfigError: A setting, or the URL, can't be used.
        Invalid: A prefix is given for our own stack.
        Unreachable: The other broker does not answer.
    """
    current = settings()
    url = current.broker if broker is None else BrokerUrl.parse(broker)
    if url == current.broker:
        if prefix:
            raise Invalid("--prefix is for another application: give its --broker, too")
        return _own(current, read_only=read_only)
    return _foreign(url, prefix, read_only=read_only)


def _own(current: Settings, *, read_only: bool) -> Sources:
    from celery_nexus.broker import BrokerSource
    from celery_nexus.catalog.own import CatalogSource
    from celery_nexus.control.source import ControlSource
    from celery_nexus.runs.source import HistorySource
    from celery_nexus.stack.programs import SupervisorSource

    source, catalog = BrokerSource(current.broker), CatalogSource()
    history = HistorySource(current.paths.history)
    source.ages.sent_at = history.sent_at
    return Sources(
        broker=source,
        control=ControlSource(current.broker, application=lambda: catalog.app),
        history=history,
        supervisor=SupervisorSource(current.paths.supervisor_socket if current.supervised else None),
        catalog=catalog,
        read_only=read_only,
    )


def _foreign(url: BrokerUrl, prefix: str | None, *, read_only: bool) -> Sources:
    from celery_nexus.broker import BrokerSource
    from celery_nexus.catalog.foreign import ForeignCatalog
    from celery_nexus.control.source import ControlSource
    from celery_nexus.runs.recording import Recording, origin_of
    from celery_nexus.runs.source import HistorySource
    from celery_nexus.stack.programs import SupervisorSource

    source = BrokerSource.foreign(url, prefix)
    origin = origin_of(url, prefix, source.layouts)
    history = HistorySource(origin.path, is_foreign=True)
    source.ages.sent_at = history.sent_at
    control = ControlSource(url, foreign=source)
    return Sources(
        broker=source,
        control=control,
        history=history,
        supervisor=SupervisorSource(None),
        catalog=ForeignCatalog(source, control, history),
        read_only=read_only,
        recording=Recording(origin, history, lambda: control.listening(prefix)),
        prefix=prefix,
    )
