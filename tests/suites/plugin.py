"""Pytest plugin that puts reliable delivery under somebody else's tests of Celery and kombu.

Their tests make applications and workers of their own. Every Redis URL means our transport here; what else
a worker of ours has is added to the worker that their fixtures start.
"""

from __future__ import annotations

from typing import Any

from celery.app.backends import BACKEND_ALIASES
from celery.contrib.testing.worker import TestWorkController
from kombu.transport import TRANSPORT_ALIASES

from celery_nexus.delivery.transport.transport import SentinelChannel
from celery_nexus.delivery.worker.inline_stopping import InlineStop
from celery_nexus.delivery.worker.stopping import SoftStop
from celery_nexus.delivery.worker.worker import LeaseStep
from celery_nexus.installation import Installation, note_installation
from celery_nexus.installer import DELIVERY_SETTINGS, result_backends

_TRANSPORTS = {"redis": "Transport", "rediss": "Transport", "sentinel": "SentinelTransport"}

# Their worker lives in a thread, which can have no signal handlers, and is stopped by its fixture.
for stop in (SoftStop, InlineStop):
    stop.install = lambda self: None  # type: ignore[method-assign]
SoftStop.watch = lambda self, hub: None  # type: ignore[method-assign]

# They replace the connections of kombu's class by ones that ask no Sentinel; ours are to be replaced, too.
for name in ("connection_class", "connection_class_ssl"):
    delattr(SentinelChannel, name)

_INSTALLED = Installation(history=False, priorities=False, orders=False)

BACKEND_ALIASES["redis"] = result_backends(_INSTALLED)["redis"]
TRANSPORT_ALIASES.update(
    {name: f"celery_nexus.delivery.transport.transport:{kind}" for name, kind in _TRANSPORTS.items()}
)

_Controller: Any = TestWorkController
_begin = _Controller.__init__


def _begin_with_reliable_delivery(self: Any, *args: Any, **options: Any) -> None:
    app, node = options["app"], options["hostname"]
    if not str(app.conf.broker_url).startswith("redis"):
        _begin(self, *args, **options)
        return
    app.conf.update(DELIVERY_SETTINGS | {"task_acks_late": True})
    # One connection pool an application is made before this: its options are the ones that count.
    app.conf.broker_transport_options = {**app.conf.broker_transport_options, "nexus_node": node}
    app.steps["consumer"].add(LeaseStep)
    note_installation(app, _INSTALLED)
    _begin(self, *args, **options)


_Controller.__init__ = _begin_with_reliable_delivery
