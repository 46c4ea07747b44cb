"""Orders to workers, and changes of programs, by the public Python interface."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_nexus.actions.workers.consumers import AddConsumer, CancelConsumer, Drain, ForgetOrders, ShutdownWorker
from celery_nexus.actions.workers.drained_restart import WITHIN_S, DrainRestart
from celery_nexus.actions.workers.events import DisableEvents, EnableEvents
from celery_nexus.actions.workers.limits import RateLimit, TimeLimit
from celery_nexus.actions.workers.pools import Autoscale, GrowPool, RestartPool, Scale, ShrinkPool
from celery_nexus.actions.workers.programs import RestartProgram, StartProgram, StopProgram
from celery_nexus.client.changing import Changing, Names, list_names

if TYPE_CHECKING:
    from celery_nexus.rows.outcomes import Outcome


class WorkerChanges(Changing):
    """Orders to workers, each of which answers for itself; and starts and stops of programs.

    Workers are named by their node name, its part before the ``@``, or their program; no name means all that answer.
    With ``remember`` the library's own workers obey again after a restart; Celery's own can't, and are refused.
    """

    def grow(self, workers: Names, by: int = 1, *, remember: bool = False) -> Outcome:
        """Add children to the pools of workers: more runs at a time.

        >>> nexus.grow(worker, 2).done
        True
        """
        return self.perform(GrowPool(list_names(workers), by, remember=remember))

    def shrink(self, workers: Names, by: int = 1, *, remember: bool = False) -> Outcome:
        """Remove children from the pools of workers; those that are free end.

        >>> nexus.shrink(worker, 99).message
        Traceback (most recent call last):
        celery_nexus.errors.Invalid: --by 99: give a number from 1 to 64
        """
        return self.perform(ShrinkPool(list_names(workers), by, remember=remember))

    def scale(self, workers: Names, size: int, *, remember: bool = False) -> Outcome:
        """Give workers a pool of a certain size.

        >>> nexus.scale(worker, 1).done
        True
        """
        return self.perform(Scale(list_names(workers), size, remember=remember))

    def autoscale(self, workers: Names, most: int, least: int) -> Outcome:
        """Set the most and least children of workers that were started with ``--autoscale``.

        >>> nexus.autoscale(worker, 4, 1).done
        False
        """
        return self.perform(Autoscale(list_names(workers), most, least))

    def pool_restart(self, workers: Names) -> Outcome:
        """Replace the children of workers by new ones; what runs is ended.

        >>> nexus.pool_restart(worker).targets[0].message
        "ValueError('Pool restarts not enabled')"
        """
        return self.perform(RestartPool(list_names(workers)))

    def add_consumer(self, workers: Names, queue: str, *, remember: bool = False) -> Outcome:
        """Let workers take from a queue.

        >>> nexus.add_consumer(worker, "celery").done
        True
        """
        return self.perform(AddConsumer(list_names(workers), queue, remember=remember))

    def cancel_consumer(self, workers: Names, queue: str, *, remember: bool = False) -> Outcome:
        """Let workers take nothing more from a queue; what they hold runs on.

        >>> nexus.cancel_consumer(worker, "celery").done
        True
        """
        return self.perform(CancelConsumer(list_names(workers), queue, remember=remember))

    def rate_limit(self, task: str, rate: str, *, workers: Names = (), remember: bool = False) -> Outcome:
        """Limit how often each worker starts runs of a task: ``10/m``, ``2/s``, ``100/h``; empty for no limit.

        >>> nexus.rate_limit("shop.add", "10/m").done
        True
        """
        return self.perform(RateLimit(list_names(workers), task, rate, remember=remember))

    def time_limit(
        self,
        task: str,
        *,
        hard_s: float | None = None,
        soft_s: float | None = None,
        workers: Names = (),
        remember: bool = False,
    ) -> Outcome:
        """Limit how long runs of a task may take; None for no limit. Runs that have started keep theirs.

        >>> nexus.time_limit("shop.nap", hard_s=60, soft_s=50, workers=[worker]).done
        True
        """
        return self.perform(TimeLimit(list_names(workers), task, hard_s, soft_s, remember=remember))

    def forget(self, orders: Names) -> Outcome:
        """Forget remembered orders; workers go on as they are until they restart.

        >>> nexus.forget("rate shop.add").targets[0].message
        'no such order'
        """
        return self.perform(ForgetOrders(list_names(orders)))

    def events_enable(self, workers: Names = ()) -> Outcome:
        """Let workers send events of their runs, so that the history hears of them; ends when they restart.

        >>> nexus.events_enable().targets[0].message
        'sends events now'
        """
        return self.perform(EnableEvents(list_names(workers)))

    def events_disable(self, workers: Names = ()) -> Outcome:
        """Let workers send no more events of their runs: no monitor hears of them.

        >>> nexus.events_disable([worker]).targets[0].message
        'sends no more events'
        """
        return self.perform(DisableEvents(list_names(workers)))

    def drain(self, workers: Names) -> Outcome:
        """Let workers finish what they hold and take nothing more.

        >>> nexus.drain(worker).targets[0].message
        'takes nothing more; finishes 0 running and 0 fetched'
        """
        return self.perform(Drain(list_names(workers)))

    def drain_restart(self, workers: Names, within_s: float = WITHIN_S) -> Outcome:
        """Let workers finish what they hold, take nothing meanwhile, and restart their programs then. Blocks so long.

        Args:
            workers: Node names, their parts before the ``@``, or programs.
            within_s: How long their runs may take; who takes longer is not restarted.

        >>> nexus.drain_restart(worker).targets[0].message
        'takes nothing more, finishes 0; restart it where it was started: no program here'
        """
        return self.perform(DrainRestart(list_names(workers), within_s))

    def shutdown(self, workers: Names) -> Outcome:
        """End workers that were started by hand: Celery's own wait for whatever runs.

        >>> nexus.shutdown(worker).targets[0].message
        "told to shut down (it can't answer any more)"
        """
        return self.perform(ShutdownWorker(list_names(workers)))

    def start(self, programs: Names) -> Outcome:
        """Start programs that Supervisor runs: ``workers:ai``, ``ai``, or ``workers`` for all of the group.

        >>> nexus.start("workers").targets[0].message
        "no program 'workers': supervisord runs none of what is watched"
        """
        return self.perform(StartProgram(list_names(programs)))

    def stop(self, programs: Names) -> Outcome:
        """Stop programs; short runs finish, a long one goes back to its queue.

        >>> nexus.stop("workers:ai").done
        False
        """
        return self.perform(StopProgram(list_names(programs)))

    def restart(self, programs: Names) -> Outcome:
        """Stop programs and start them again; short runs finish, a long one goes back to its queue.

        >>> nexus.restart(["workers:ai", "beat"]).done
        False
        """
        return self.perform(RestartProgram(list_names(programs)))
