"""Tasks of the delivery tests; workers find them by ``celery -A delivery_tasks``."""

from __future__ import annotations

import os
import signal
import time

import redis
from celery.exceptions import Reject
from celery.utils.log import get_task_logger

from celery_nexus.delivery import validation
from celery_nexus.delivery.leases import in_flight, lease, process_identity
from celery_nexus.delivery.upgrade.signals import FormerListsStep
from celery_nexus.runtime.progress import RunProgress
from config.celery_config import celery_app
from config.settings import settings

app = celery_app
if soft := os.environ.get("NEXUS_TEST_SOFT_SHUTDOWN_S"):
    app.conf.worker_soft_shutdown_timeout = float(soft)
if separator := os.environ.get("NEXUS_TEST_FORMER_SEPARATOR"):  # a worker of an earlier version
    app.conf.broker_transport_options = {**app.conf.broker_transport_options, "sep": separator}
    app.steps["consumer"].discard(FormerListsStep)
if namespace := os.environ.get("NEXUS_TEST_NAMESPACE"):  # as if in another container
    process_identity.identify_namespace = lambda: namespace
if lease_s := os.environ.get("NEXUS_TEST_LEASE_S"):
    lease.LEASE_S = float(lease_s)
if most := os.environ.get("NEXUS_TEST_MAX_MESSAGE_BYTES"):
    validation.MAX_MESSAGE_BYTES = int(most)
if prefix := os.environ.get("NEXUS_TEST_PREFIX"):
    app.conf.broker_transport_options = {**app.conf.broker_transport_options, "global_keyprefix": prefix}
if os.environ.get("NEXUS_TEST_DIE_AT_ACKNOWLEDGEMENT"):
    acknowledge = in_flight.InFlight.acknowledge_now

    def acknowledge_and_die(self: in_flight.InFlight) -> None:
        """Be killed as soon as the broker has heard of an end."""
        is_owing = self.is_owing
        acknowledge(self)
        if is_owing:
            os.kill(os.getpid(), signal.SIGKILL)

    in_flight.InFlight.acknowledge_now = acknowledge_and_die


def client() -> redis.Redis:
    """A connection for traces."""
    return redis.Redis.from_url(settings().broker.redis_py)


@celery_app.task(name="t.note", shared=False, queue="default_queue", max_retries=3)
def note(name: str, seconds: float = 0.0) -> str:
    """Count a start, wait, count an end, and append the name to the order of ends."""
    traces = client()
    traces.incr(f"started:{name}")
    if seconds:
        time.sleep(seconds)
    traces.incr(f"done:{name}")
    traces.rpush("order", name)
    return name


@celery_app.task(name="t.login", shared=False, queue="default_queue", bind=True, max_retries=1)
def login(self, user: str, password: str, how: str = "", **more: object) -> None:
    """Log, print, retry and fail with all that it was given."""
    told = f"{user}: {{'password': {password!r}}} {how} {more}"
    get_task_logger(__name__).warning("logging in \x1b[2J %s", told)
    print(told)
    client().incr("logged in")
    while client().exists("hold"):
        time.sleep(0.05)
    if self.request.retries:
        raise ValueError(told)
    raise self.retry(exc=ValueError(told), countdown=0.1)


@celery_app.task(name="t.poison", shared=False, queue="default_queue", max_retries=5)
def poison(name: str, how: str = "kill") -> None:
    """Kill the child, or the worker."""
    client().incr(f"started:{name}")
    if how == "exit":
        os._exit(9)
    os.kill(os.getppid() if how == "worker" else os.getpid(), signal.SIGKILL)
    time.sleep(5)


@celery_app.task(name="t.fragile", shared=False, queue="default_queue", max_retries=0, ignore_result=True)
def fragile(name: str, how: str = "child") -> None:
    """Kill the child or the worker, of a run without retries whose result nobody wants."""
    client().incr(f"started:{name}")
    os.kill(os.getppid() if how == "worker" else os.getpid(), signal.SIGKILL)
    time.sleep(5)


@celery_app.task(
    name="t.item",
    shared=False,
    queue="default_queue",
    Request="celery_nexus.delivery.worker.batch_request:BatchItemRequest",
    max_retries=0,
)
def item(name: str) -> None:
    """Kill the child of a batch's run."""
    client().incr(f"started:{name}")
    os.kill(os.getpid(), signal.SIGKILL)


@celery_app.task(name="t.mailing", shared=False, queue="default_queue", max_retries=0)
def mailing(name: str, steps: int) -> int:
    """Do one step more at each start, and kill the child after it."""
    done = client().incr(f"started:{name}")
    RunProgress()(done, steps)
    if done < steps:
        os.kill(os.getpid(), signal.SIGKILL)
    return done


@celery_app.task(name="t.reject", shared=False, queue="default_queue", bind=True)
def reject(self, name: str, times: int) -> bool:
    """Put the message back some times; return whether it was marked as redelivered."""
    if client().incr(f"started:{name}") <= times:
        raise Reject("not yet", requeue=True)
    return bool(self.request.delivery_info["redelivered"]) and bool(self.request.redelivered)


@celery_app.task(name="t.again", shared=False, queue="default_queue", bind=True, max_retries=2)
def again(self, name: str) -> int:
    """Retry twice with a countdown, then succeed."""
    client().incr(f"started:{name}")
    if self.request.retries < 2:
        raise self.retry(countdown=0.3)
    return self.request.retries


@celery_app.task(name="t.memory", shared=False, queue="default_queue")
def memory() -> None:
    """Need more than there is."""
    raise MemoryError


@celery_app.task(name="t.text", shared=False, queue="default_queue")
def text(characters: int) -> str:
    """Return a text that can hardly be compressed."""
    return os.urandom(characters // 2).hex()


@celery_app.task(name="t.length", shared=False, queue="default_queue")
def length(texts: str | list[str]) -> int:
    """Count characters."""
    return len(texts) if isinstance(texts, str) else sum(map(len, texts))


@celery_app.task(name="t.add", shared=False, queue="default_queue")
def add(x: int, y: int) -> int:
    """Add."""
    return x + y


@celery_app.task(name="t.nap", shared=False, queue="default_queue")
def nap(seconds: float) -> int:
    """Need no broker for a while."""
    time.sleep(seconds)
    return 41


@celery_app.task(name="t.total", shared=False, queue="default_queue")
def total(numbers: list[int]) -> int:
    """Sum."""
    return sum(numbers)


@celery_app.task(name="t.errback_old", shared=False, queue="default_queue")
def errback_old(run_id: str) -> None:
    """Note what failed, called with one argument as a task."""
    client().sadd("errback_old", run_id)


@celery_app.task(name="t.errback_new", shared=False, queue="default_queue")
def errback_new(request, exc, traceback) -> None:
    """Note what failed, called at once by who ends the run."""
    client().sadd("errback_new", request.id)
