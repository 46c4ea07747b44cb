"""Pause and resumption of a queue: remembered in Redis, then told to the workers."""

from __future__ import annotations

from celery_nexus.errors import SourceError
from celery_nexus.rows.outcomes import Outcome, TargetOutcome
from celery_nexus.sources import Sources

PAUSED_ALREADY = "was paused already"
NOT_PAUSED = "was not paused"
FORGETTING = "Celery's own workers forget it when they restart, and one that starts later takes from it"


def keep_undo(sources: Sources, change: str, queue: str, told: TargetOutcome) -> Outcome:
    """Let a pause or resumption be undone, when it changed something.

    Args:
        sources: Where it was done.
        change: ``pause`` or ``resume``.
        queue: The queue.
        told: What was done.
    """
    if told.message in (PAUSED_ALREADY, NOT_PAUSED):
        return Outcome((told,))
    return Outcome((told,), sources.broker.announce_undo(change, f"{change} {queue}", queue))


def pause(sources: Sources, queue: str) -> TargetOutcome:
    """Remember that a queue is paused, then tell its workers to take nothing more from it.

    Raises:
        NotFound: There is no such queue.
        SourceError: The broker can't be reached, or refuses.
    """
    sources.broker.check_queue(queue)
    sources.control.workers()
    workers = (sources.control.consumers() or {}).get(queue, ())
    is_new = sources.broker.pause(queue, workers)
    if not is_new and not workers:
        return TargetOutcome(queue, True, PAUSED_ALREADY)
    # One that restarted, or started later, takes from a paused queue when it is Celery's own: it is told again
    told = f"{'paused' if is_new else 'paused again'}; {_tell_workers(sources, queue, workers, consume=False)}"
    is_forgotten = sources.is_foreign or bool(list_stock_consumers(sources, queue))
    return TargetOutcome(queue, True, f"{told}. {FORGETTING}: pause it again then" if is_forgotten else told)


def list_stock_consumers(sources: Sources, queue: str) -> list[str]:
    """Name those of Celery's own workers that take from a queue; none when they can't be asked."""
    try:
        return [row.name for row in sources.control.workers() if row.is_stock and queue in row.queues]
    except SourceError:
        return []


def resume(sources: Sources, queue: str) -> TargetOutcome:
    """Forget that a queue is paused, then tell the workers that took from it to do so again.

    Raises:
        NotFound: There is no such queue.
        SourceError: The broker can't be reached, or refuses.
    """
    sources.broker.check_queue(queue)
    workers = sources.broker.resume(queue)
    if workers is None:
        return TargetOutcome(queue, True, NOT_PAUSED)
    return TargetOutcome(queue, True, f"resumed; {_tell_workers(sources, queue, workers, consume=True)}")


def _tell_workers(sources: Sources, queue: str, workers: tuple[str, ...], *, consume: bool) -> str:
    """Tell workers at once; those that miss it read it from Redis, so that a failure here fails nothing."""
    if not workers:
        return "no worker is there to be told"
    try:
        confirmed = sources.control.set_consuming(queue, workers, consume=consume)
    except SourceError as error:
        return f"its workers could not be told: {error}"
    silent = sorted(set(workers) - set(confirmed))
    return f"told {len(confirmed)} of {len(workers)} workers" + (
        f"; no answer from {', '.join(silent)}" if silent else ""
    )
