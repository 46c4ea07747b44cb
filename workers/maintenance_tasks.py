"""Upkeep: the shells that Celery runs around the plain functions in ``workers.services``."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, cast

from celery import current_task
from pydantic import Field

from celery_nexus.runtime.progress import RunProgress
from celery_nexus.task_errors import TransientError
from config.celery_config import celery_app
from config.queues import BY_FAMILY, QUEUES
from config.settings import settings

if TYPE_CHECKING:
    import redis

_OPTIONS = BY_FAMILY["default"].task_options
INSPECT_TIMEOUT_S = 1.0
SECOND_INSPECT_TIMEOUT_S = 3.0


@celery_app.task(bind=False, base=None, **_OPTIONS)
def health_check(dry_run: bool = False) -> dict[str, Any]:
    """Check broker, result backend, disk, memory, workers, beat, mail server and AI providers.

    Each check has a verdict (ok, warning or failed), the fact that proves it, and its time in milliseconds; one that
    breaks never stops the others. What is wrong is raised as an alert once, and cleared when it is over.

    Args:
        dry_run: Look, and raise no alerts.

    Returns:
        ``verdict`` (the worst), ``checks`` (name, verdict, fact, ms), ``alerts``, ``stats`` and a text in ``content``.
    """
    from workers.services.upkeep import alerts, health, probes

    with _client() as client:
        first = health.run("broker", lambda: probes.broker(client))
        broker_answers = probes.is_answering(client)
        rest = health.examine(_probes(client) if broker_answers else _probes_without_broker())
        found = health.Health((first, *rest.checks))
        answer = found.as_json()
        answer["alerts"] = {"raised": [], "cleared": [], "open": []}
        if broker_answers:
            troubles = [
                alerts.Alert(f"health.{check.name}", check.verdict, f"{check.name}: {check.fact}")
                for check in found.checks
                if check.verdict != "ok"
            ]
            answer["alerts"] = alerts.update(client, "health", troubles, dry_run=dry_run).as_json()
    return {**answer, "dry_run": dry_run}


@celery_app.task(bind=False, base=None, **_OPTIONS)
def monitor_queue_sizes(dry_run: bool = False) -> dict[str, Any]:
    """Count what waits in each queue by priority, and raise an alert where a threshold is passed.

    The thresholds are the registry's: messages waiting, and age of the oldest. An alert is raised once and cleared
    when the queue is below its thresholds again.

    Args:
        dry_run: Count, and raise no alerts.

    Returns:
        ``queues`` (name, waiting, by_priority, oldest_age_s, verdict, fact), ``alerts`` and ``stats``.
    """
    from workers.services.upkeep import alerts, queue_sizes

    with _reachable(), _client() as client:
        sizes, troubles = queue_sizes.measure(client, QUEUES)
        changes = alerts.update(client, "queue", troubles, dry_run=dry_run)
    return {
        "queues": [size.as_json() for size in sizes],
        "alerts": changes.as_json(),
        "stats": {"queues": len(sizes), "waiting": sum(size.waiting for size in sizes), "alerts": len(troubles)},
        "dry_run": dry_run,
    }


@celery_app.task(bind=False, base=None, **_OPTIONS)
def cleanup_old_results(max_age_hours: Annotated[float, Field(ge=1)] = 24, dry_run: bool = False) -> dict[str, Any]:
    """Remove result records of runs that ended long ago.

    Records of runs that wait, run or will be retried always stay. Most records expire by themselves; this finds the
    others.

    Args:
        max_age_hours: Age, in hours since the run ended, from which a record goes; at least 1.
        dry_run: Count, and remove nothing.

    Returns:
        ``stats``: scanned, removed, removed_bytes, kept_live, kept_young, unreadable, reply_lists_expired.
    """
    from workers.services.upkeep.results import remove_old

    with _reachable(), _client() as client:
        found = remove_old(client, timedelta(hours=max_age_hours), RunProgress(), dry_run=dry_run)
    return {"stats": found.as_json(), "dry_run": dry_run}


@celery_app.task(bind=False, base=None, **_OPTIONS)
def cleanup_failed_tasks(
    keep: Annotated[int, Field(ge=1)] = 50,
    min_age_hours: Annotated[float, Field(ge=0)] = 24,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Remove failed runs from the history, but for the last ones of each error.

    Args:
        keep: Runs to keep of each error of each task, the latest.
        min_age_hours: Younger failures stay in any case.
        dry_run: Count, and remove nothing.

    Returns:
        ``stats``: failed (old enough to be looked at), errors (different ones), removed, kept.
    """
    from workers.services.upkeep.failures import remove_surplus

    path = settings().paths.history
    stats = remove_surplus(path, keep, min_age_hours * 3600, RunProgress(), dry_run=dry_run)
    return {"stats": stats, "dry_run": dry_run}


@celery_app.task(bind=False, base=None, **_OPTIONS)
def archive_old_files(max_age_days: Annotated[float, Field(ge=1)] = 30, dry_run: bool = False) -> dict[str, Any]:
    """Compress old output files into dated archives.

    Each becomes archive/DATE/FOLDER/NAME.gz below the output root. The original is removed only when its archive
    was read back and holds the same; files elsewhere, links, and what is archived are never touched.

    Args:
        max_age_days: Age, in days since the last change, from which a file is archived; at least 1.
        dry_run: Count, and change nothing.

    Returns:
        ``stats``: found, archived, already_archived, kept_young, kept_changed, bytes_before, bytes_after; ``outputs``
        with ``files`` (the first hundred archives); ``problems``.
    """
    from workers.services.upkeep.archive import archive_old

    found = archive_old(settings().outputs, max_age_days * 86400, RunProgress(), dry_run=dry_run)
    outputs = {"files": found.files, "stats": found.stats()}
    return {"outputs": outputs, "stats": found.stats(), "problems": found.problems, "dry_run": dry_run}


@contextmanager
def _client() -> Generator[redis.Redis]:
    from celery_nexus.connection.redis_client import open_redis

    client = open_redis(
        settings().broker.redis_py,
        decode_responses=True,
        encoding_errors="replace",
        socket_timeout=5,
        socket_connect_timeout=2,
    )
    try:
        yield client
    finally:
        client.close()


@contextmanager
def _reachable() -> Generator[None]:
    import redis

    try:
        yield
    except (redis.ConnectionError, redis.TimeoutError) as error:
        raise TransientError(f"the broker at {settings().broker.masked} does not answer ({error})") from None


def _probes(client: redis.Redis) -> dict[str, Callable[[], Any]]:
    from workers.services.upkeep import probes

    own = _own_queue()
    return {
        "result_backend": lambda: probes.result_backend(client),
        "consumers": lambda: probes.consumers(QUEUES, _consumed(own)),
        "beat": lambda: probes.beat(client, *_beat_lock()),
        **_outer_probes(),
    }


def _probes_without_broker() -> dict[str, Callable[[], Any]]:
    from workers.services.upkeep.verdicts import Judged

    blind = Judged("failed", "can't be seen while the broker does not answer")
    return {**dict.fromkeys(("result_backend", "consumers", "beat"), lambda: blind), **_outer_probes()}


def _outer_probes() -> dict[str, Callable[[], Any]]:
    from workers import outside
    from workers.services.upkeep import probes

    current = settings()
    return {
        "disk": lambda: probes.disk((current.home, current.uploads, current.outputs)),
        "memory": probes.memory,
        **outside.list_probes(),
    }


def _beat_lock() -> tuple[str, float]:
    from redbeat import schedulers

    conf = cast("Any", schedulers).ensure_conf(celery_app)
    return str(conf.lock_key), float(conf.lock_timeout)


def _own_queue() -> tuple[str, str] | None:
    """Worker and queue of this run: a worker with a solo pool can't answer while it runs us."""
    request = current_task.request if current_task else None
    if not request or request.called_directly:
        return None
    queue = (request.delivery_info or {}).get("routing_key")
    return (str(request.hostname), str(queue)) if queue else None


def _consumed(own: tuple[str, str] | None) -> dict[str, list[str]]:
    """Ask every worker what it consumes; asked again, with more patience, when a queue seems to have none."""
    wanted = {spec.name for spec in QUEUES}
    found: dict[str, list[str]] = {}
    for timeout_s in (INSPECT_TIMEOUT_S, SECOND_INSPECT_TIMEOUT_S):
        replies = cast("dict[str, Any]", celery_app.control.inspect(timeout=timeout_s).active_queues() or {})
        found.update({name: [queue["name"] for queue in queues] for name, queues in replies.items()})
        if own:
            found.setdefault(own[0], [own[1]])
        if wanted <= {queue for queues in found.values() for queue in queues}:
            break
    return found
