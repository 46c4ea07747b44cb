"""The application: Celery's settings, and the library; ``celery -A config.celery_config …`` finds it here."""

from __future__ import annotations

from typing import Any

from celery import Celery
from celery.signals import worker_init
from kombu import Exchange, Queue

from celery_nexus.application_code import CHORD_EXPIRES_S
from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.connection.keys import BEAT_LOCK
from celery_nexus.installer import install
from celery_nexus.queues import DEFAULT_PRIORITY, PRIORITIES, PRIORITY_SEPARATOR
from config.celery_options import BEAT_LOCK_S, RESULT_EXPIRES_S, SOFT_SHUTDOWN_S
from config.queues import DEFAULT_QUEUE, QUEUES, spec_of_task
from config.schedule import BEAT_SCHEDULE
from config.settings import Settings, export_env_file, settings

VISIBILITY_TIMEOUT_S = 3600
"""Redelivery of what a lost worker held: twice the longest time limit of the registry."""


def _route(name: str, args: Any, kwargs: Any, options: Any, task: Any = None, **_: Any) -> dict[str, str] | None:
    spec = spec_of_task(name)
    return {"queue": spec.name} if spec else None


def _queue(name: str) -> Queue:
    # Without an exchange and routing key of its own, every queue is bound to the default exchange.
    return Queue(name, Exchange(name, type="direct"), routing_key=name)


def _redbeat_sentinels(broker: BrokerUrl) -> dict[str, Any]:
    if not broker.sentinels:
        return {}
    login = {"db": broker.database, "username": broker.username, "password": broker.password}
    sentinels = {"sentinels": broker.sentinels, "service_name": broker.master_name}
    return {**sentinels, "sentinel_kwargs": broker.sentinel_login, **login}


def _celery_settings(broker: BrokerUrl) -> dict[str, Any]:
    return {**_connections(broker), **_routing(), **_runs(), **_beat(broker)}


def _connections(broker: BrokerUrl) -> dict[str, Any]:
    return {
        "broker_url": broker.kombu,
        "result_backend": broker.kombu,
        "result_backend_transport_options": broker.transport_options,
        "broker_transport_options": {
            **broker.transport_options,
            "priority_steps": list(PRIORITIES),
            "sep": PRIORITY_SEPARATOR,
            "queue_order_strategy": "priority",
            "visibility_timeout": VISIBILITY_TIMEOUT_S,
            "unacked_mutex_expire": 3,  # seconds; a killed worker's lock would block redelivery for 300
            "socket_timeout": 5,  # a silent connection blocks the event loop for so long
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
            "health_check_interval": 3,
        },
        **({"broker_use_ssl": broker.tls, "redis_backend_use_ssl": broker.tls} if broker.tls else {}),
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "redis_socket_timeout": 5,
        "redis_backend_health_check_interval": 5,
        "redis_retry_on_timeout": True,
        "task_serializer": "json",
        "result_serializer": "json",
        "accept_content": ["json"],
    }


def _routing() -> dict[str, Any]:
    return {
        "task_queues": [_queue(spec.name) for spec in QUEUES],
        "task_default_queue": DEFAULT_QUEUE,
        "task_default_exchange": DEFAULT_QUEUE,
        "task_default_routing_key": DEFAULT_QUEUE,
        "task_routes": (_route,),
        "task_default_priority": DEFAULT_PRIORITY,
        "task_queue_max_priority": max(PRIORITIES),
        "task_create_missing_queues": True,
    }


def _runs() -> dict[str, Any]:
    return {
        "task_track_started": True,
        "task_acks_late": True,
        "task_reject_on_worker_lost": False,
        "task_retry_on_worker_lost": True,  # by the queue's policy; putting it back would never end with a poison
        "worker_cancel_long_running_tasks_on_connection_loss": True,
        "worker_soft_shutdown_timeout": SOFT_SHUTDOWN_S,
        "worker_enable_soft_shutdown_on_idle": False,
        "worker_prefetch_multiplier": 4,
        "worker_max_tasks_per_child": 10_000,  # what leaks beside memory: a new child costs as much as 100 short runs
        "worker_pool_restarts": True,  # operators may replace a pool by remote control
        "worker_max_memory_per_child": 400_000,  # kB
        "worker_eta_task_limit": 1000,
        # Results
        "result_extended": True,
        "result_expires": RESULT_EXPIRES_S,
        "result_chord_expires": CHORD_EXPIRES_S,
        # Events: our stream is always written, pub/sub only when somebody asks (celery_nexus/history)
        "task_send_sent_event": True,
        "worker_send_task_events": False,
    }


def _beat(broker: BrokerUrl) -> dict[str, Any]:
    return {
        "timezone": "UTC",
        "enable_utc": True,
        "beat_schedule": BEAT_SCHEDULE,
        "beat_scheduler": "workers.beat:SlotScheduler",
        "beat_max_loop_interval": 5,
        "redbeat_redis_url": "redis-sentinel://" if broker.sentinels else broker.redis_py,
        # Connections of its own, tried again for ever: beat may start before the broker listens.
        "redbeat_redis_options": {
            "retry_period": -1,
            "socket_timeout": 10,
            "socket_connect_timeout": 5,
            **_redbeat_sentinels(broker),
        },
        **({"redbeat_redis_use_ssl": broker.tls} if broker.tls else {}),
        "redbeat_lock_key": BEAT_LOCK,
        "redbeat_lock_timeout": BEAT_LOCK_S,
    }


@worker_init.connect
def _make_task_folders(**_: Any) -> None:
    settings().make_task_folders()


def make_app(current: Settings) -> Celery:
    """Make the application of one deployment.

    Args:
        current: Its settings: broker, home, and whether its workers deliver reliably.
    """
    app = Celery(
        "nexus",
        task_cls="celery_nexus.runtime.task:NexusTask",
        include=["celery_nexus.privacy.log_masking", *(spec.module for spec in QUEUES)],
    )
    app.conf.update(_celery_settings(current.broker))
    install(
        app,
        delivery=current.delivery == "reliable",
        queues=QUEUES,
        home=current.home,
        broker=current.broker,
        upgrades=True,
    )
    app.conf.nexus_folders = (current.paths.temporary, current.uploads, current.outputs)
    app.conf.nexus_demonstration = "workers.demonstration:shapes"
    return app


export_env_file()
celery_app = make_app(settings())
