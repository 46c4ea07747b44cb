"""Makes the sources of one broker: ours with everything we know, or any Celery application's."""

from __future__ import annotations

from config.broker_url import BrokerUrl
from config.settings import settings
from nexus_tui.sources import Sources


def connect(broker: str | None = None, *, read_only: bool = False) -> Sources:
    """Make the sources; nothing is read yet, but the layout of another broker's keys.

    Args:
        broker: URL of another broker than the one in the settings: its programs and code are unknown to us.
        read_only: Whether every change is refused.

    Raises:
        ConfigError: A setting, or the URL, can't be used.
        Unreachable: The other broker does not answer.
    """
    from nexus_tui.sources.broker import BrokerSource
    from nexus_tui.sources.catalog import CatalogSource
    from nexus_tui.sources.control import ControlSource
    from nexus_tui.sources.history import HistorySource
    from nexus_tui.sources.recording import Origin, Recording, history_path
    from nexus_tui.sources.supervisor import SupervisorSource

    current = settings()
    paths = current.paths
    url = current.broker if broker is None else BrokerUrl.parse(broker)
    own = url == current.broker
    source = BrokerSource(url) if own else BrokerSource.foreign(url)
    catalog = CatalogSource(None if own else url)
    origin = None if own else Origin(url, source.layout.prefix, history_path(url, source.layout.prefix))
    history = HistorySource(origin.path if origin else paths.history, is_foreign=not own)
    source.ages.sent_at = history.sent_at
    return Sources(
        broker=source,
        control=ControlSource(url, layout=source.layout, application=lambda: catalog.app),
        history=history,
        supervisor=SupervisorSource(paths.supervisor_socket if own else None),
        catalog=catalog,
        read_only=read_only,
        recording=Recording(origin, history) if origin else None,
    )
