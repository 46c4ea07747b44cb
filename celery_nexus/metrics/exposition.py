"""Metrics as text in Prometheus' format: once, or served to whoever scrapes."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from celery_nexus.errors import Invalid, Refused, Unreachable
from celery_nexus.metrics.families import Bounds, make_families
from celery_nexus.metrics.lasting_reader import LastingReader
from celery_nexus.metrics.reader import MetricsReader
from celery_nexus.metrics.seen import Seen
from celery_nexus.sources import Sources

LOOPBACK = "127.0.0.1"
PORT = 9808
"""Default port of the metrics: celery-exporter's, so that one replaces it."""

_ADDRESS = re.compile(r"(?:(?P<host>\[[0-9a-fA-F:.%]+\]|[^:\[\]]*):)?(?P<port>\d{1,5})")


def parse_address(text: str) -> tuple[str, int]:
    """Read ``9808``, ``:9808``, ``0.0.0.0:9808`` or ``[::]:9808``; without a host it is this machine alone.

    Raises:
        Invalid: It is none.
    """
    found = _ADDRESS.fullmatch(text.strip())
    if found is None or int(found["port"]) > 65535:
        raise Invalid(f"--serve {text}: give a port or HOST:PORT, as in --serve {PORT} or --serve 0.0.0.0:{PORT}")
    return (found["host"] or "").strip("[]") or LOOPBACK, int(found["port"])


class MetricsCollector(Collector):
    """What the client library asks at each scrape; one at a time reads.

    Args:
        read: Reads everything.
        bounds: How many values each label may have.
    """

    def __init__(self, read: Callable[[], Seen], bounds: Bounds) -> None:
        self._read = read
        self._bounds = bounds
        self._lock = threading.Lock()

    def collect(self) -> Iterator[Metric]:
        """Read everything, and make the metrics of it."""
        with self._lock:
            yield from list(make_families(self._read(), self._bounds))


def render(seen: Seen, bounds: Bounds) -> str:
    """Write what was seen as text."""
    registry = CollectorRegistry()
    registry.register(MetricsCollector(lambda: seen, bounds))
    return generate_latest(registry).decode()


def read_once(sources: Sources) -> Seen:
    """Read everything once; workers are asked now.

    Raises:
        Unreachable: The broker does not answer.
    """
    seen = MetricsReader(sources).read()
    if seen.problem:
        raise Unreachable(seen.problem)
    return seen


def serve(reader: LastingReader, host: str, port: int, bounds: Bounds) -> tuple[int, Callable[[], None]]:
    """Serve metrics until told otherwise.

    Args:
        reader: Reads them.
        host: Address to listen at.
        port: Its port; 0 for any free one.
        bounds: How many values each label may have.

    Returns:
        The port, and what ends it.

    Raises:
        Refused: The address can't be listened at.
    """
    registry = CollectorRegistry()
    registry.register(MetricsCollector(reader.read, bounds))
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        raise Refused(f"can't listen at {host} port {port}: {error.strerror or error}; give --serve another") from None

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()
        reader.stop()

    return int(server.server_port), stop
