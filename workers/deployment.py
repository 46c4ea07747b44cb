"""Our own stack, as dashboard and command line find it; imports Celery only when a task is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_nexus.application_code import CHORD_EXPIRES_S, ApplicationCode
from celery_nexus.deployment import Deployment
from config.celery_options import RESULT_EXPIRES_S
from config.queues import REGISTRY
from config.settings import describe, settings
from workers.outside import ask_services

if TYPE_CHECKING:
    from celery import Celery


def own_deployment() -> Deployment:
    """Return the stack that the settings describe.

    Raises:
        ConfigError: A setting can't be used.
    """
    current = settings()
    return Deployment(
        broker=current.broker,
        code=CODE,
        home=current.paths.home,
        history=current.paths.history,
        supervisor=current.paths.supervisor_socket if current.supervised else None,
        logs=current.paths.log,
        uploads=current.uploads,
        is_read_only=current.read_only,
        is_embedded=current.embedded,
        describe=lambda reveal: describe(current, reveal=reveal),
        ask_services=ask_services,
    )


def _load() -> Celery:
    from config.celery_config import celery_app

    celery_app.loader.import_default_modules()
    return celery_app


CODE = ApplicationCode(REGISTRY, _load, result_expires_s=RESULT_EXPIRES_S, chord_expires_s=CHORD_EXPIRES_S)
"""The five task families."""
