"""``install(app)``: gives a Celery application reliable delivery, a history, priorities and remembered orders."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from celery import Celery

from celery_nexus.application_code import CHORD_EXPIRES_S
from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.connection.errors import BrokerUrlError
from celery_nexus.installation import Installation, broker_of, note_installation
from celery_nexus.queues import QueueRegistry, QueueSpec

_PATIENT = ("celery_nexus.delivery.ends.results:RedisResults", "celery_nexus.delivery.ends.results:SentinelResults")
_PRIVATE = (
    "celery_nexus.delivery.ends.private_records:PrivateResults",
    "celery_nexus.delivery.ends.private_records:PrivateSentinelResults",
)

DELIVERY_SETTINGS = {
    "worker_consumer": "celery_nexus.delivery.worker.consumer:Consumer",
    # A lost child's message is put back, counted, and set aside after the third (delivery/worker/request.py)
    "task_reject_on_worker_lost": True,
    "task_retry_on_worker_lost": False,
    # Acknowledgements survive a reconnect: what runs goes on
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "worker_lost_wait": 1.0,  # seconds until a dead child's run is given up; 10 would hold the queue up
    "broker_channel_error_retry": True,  # a broker that refuses writes is waited for
}
_UNLESS_SET = {
    "task_acks_late": True,
    "result_chord_expires": CHORD_EXPIRES_S,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
}
"""Settings that ``install`` gives an application unless it has its own."""

_TRANSPORT_OPTIONS = {
    "socket_timeout": 5,  # a silent connection blocks the event loop for so long
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 3,
}
_RESULT_OPTIONS = {
    # A result that the broker refuses to store (out of memory, read-only) is stored a little later
    "additional_connection_errors": ["redis.exceptions.OutOfMemoryError", "redis.exceptions.ReadOnlyError"],
    "retry_policy": {"max_retries": 60},  # seconds
}

logger = logging.getLogger(__name__)


def install(
    app: Celery,
    *,
    delivery: bool = True,
    history: bool = True,
    priorities: bool = True,
    orders: bool = True,
    masking: bool = True,
    queues: Iterable[QueueSpec] = (),
    home: Path | str | None = None,
    broker: BrokerUrl | None = None,
    upgrades: bool = False,
    version: str = "",
) -> None:
    """Give an application what the library has; to be called once, right after the application was made.

    Other applications of the process stay as they are. What contradicts it in the application's own settings is
    said in the log, with what to do. Each part can be left out.

    ::

        app = Celery("shop", broker="redis://localhost/0")
        celery_nexus.install(app)

    Args:
        app: The application; its settings may come later.
        delivery: Whether its workers deliver reliably: no run is lost or doubled by a worker's, a child's or the
            broker's death.
        history: Whether each process writes its events to a stream, from which ``celery_nexus.history.recorder``
            writes the history.
        priorities: Whether a message that names no priority gets the middle one, so that 0 stays the first.
        orders: Whether workers obey again what operators ordered to be remembered: revokes, pauses, pool sizes, limits.
        masking: Whether secrets and private arguments stay out of what result records say beside the result.
        queues: What is to be known of its queues: purpose, retry policy, limits, alert thresholds.
        home: Folder of the history and other run-time files; None for the user's folder for data.
        broker: Address of its broker, where its settings don't say all of it; None for what they say.
        upgrades: Whether its queues may still lie in lists of earlier versions of the Nexus stack.
        version: What its code is called when its workers start with another one than before, as a tag or commit; empty
            for a digest of the files of its packages.
    """
    folder = None if home is None else Path(home)
    registry = QueueRegistry(queues)
    installation = Installation(
        registry, delivery, history, priorities, orders, masking, upgrades, broker, folder, version
    )
    note_installation(app, installation)
    _exchange_classes(app, installation)
    _add_steps(app, installation)
    _when_configured(app, lambda: _complete_settings(app, installation))


def _exchange_classes(app: Celery, installed: Installation) -> None:
    mutable: Any = app
    mutable.amqp_cls = "celery_nexus.runtime.messages:Messages"
    if installed.history:
        mutable.events_cls = "celery_nexus.history.capture.dispatcher:StreamEvents"
    for name in ("amqp", "events"):
        vars(app).pop(name, None)  # made before
    if installed.delivery or installed.masking:
        mutable.loader.override_backends = {**mutable.loader.override_backends, **result_backends(installed)}


def result_backends(installed: Installation) -> dict[str, str]:
    """Name the class of the result backend for each kind of address of Redis, as Celery's loaders want it.

    Args:
        installed: Of an application that has ``delivery``, ``masking``, or both.
    """
    redis, sentinel = _PRIVATE if installed.masking else _PATIENT
    return {**dict.fromkeys(("redis", "rediss", "redis+socket"), redis), "sentinel": sentinel}


def _add_steps(app: Celery, installed: Installation) -> None:
    steps = app.steps["consumer"]
    steps.add("celery_nexus.delivery.commands:CommandsStep")
    if installed.delivery:
        steps.add("celery_nexus.delivery.worker.worker:LeaseStep")
    if installed.orders:
        steps.add("celery_nexus.runtime.standing_orders:StandingOrders")


def _modules(installed: Installation) -> tuple[str, ...]:
    """Modules that each worker imports: they connect themselves to Celery's signals, or add commands."""
    always = ("celery_nexus.runtime.processes", "celery_nexus.runtime.remote_control")
    reliable = ("celery_nexus.delivery.worker.worker", "celery_nexus.delivery.ends.revoking")
    return (*always, *(reliable if installed.delivery else ()))


def _when_configured(app: Celery, complete: Callable[[], None]) -> None:
    known: Any = app  # the stubs leave it out
    if known.configured:
        complete()
        return

    def complete_later(**_: Any) -> None:
        complete()

    known.on_after_configure.connect(complete_later, weak=False)


def _complete_settings(app: Celery, installed: Installation) -> None:
    try:
        broker_of(app)
    except BrokerUrlError as error:
        logger.warning("celery_nexus: %s; the application goes on without reliable delivery and history", error)
        note_installation(app, replace(installed, delivery=False, history=False, priorities=False, orders=False))
        return
    settings: dict[str, Any] = {"include": (*app.conf.include, *_modules(installed))}
    if installed.history:
        settings["task_send_sent_event"] = True  # to our stream alone: arguments, queue and priority of what is sent
    if installed.delivery:
        settings |= _delivery_settings(app, installed)
    app.conf.update(settings)


def _delivery_settings(app: Celery, installed: Installation) -> dict[str, Any]:
    unset = {name: value for name, value in _UNLESS_SET.items() if not _is_set(app, name)}
    if "task_acks_late" not in unset and app.conf.task_acks_late is False:
        logger.warning(
            "celery_nexus: task_acks_late is off, so that a worker's death loses what it runs: remove the setting"
        )
    former = {"nexus_former_queues": installed.queues.names} if installed.upgrades else {}
    return {
        **DELIVERY_SETTINGS,
        **unset,
        "broker_transport_options": {**_TRANSPORT_OPTIONS, **former, **(app.conf.broker_transport_options or {})},
        "result_backend_transport_options": {**_RESULT_OPTIONS, **(app.conf.result_backend_transport_options or {})},
    }


def _is_set(app: Celery, name: str) -> bool:
    """Tell whether the application's own settings say something of it."""
    settings: Any = app.conf
    layers: list[Mapping[str, Any]] = settings.maps[:-1]
    return any(name in layer for layer in layers)
