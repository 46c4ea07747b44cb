"""Faults of strangers' applications, each made for real, and healthy set-ups: what the doctor has to say of each.

Both tests and the benchmark of the doctor make them.
"""

from __future__ import annotations

import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from tests.harness.waiting import wait_until
from tests.integration.foreign.conftest import Shop

FAULTS = {"has_faults": True}
Start = Callable[..., Shop]
"""Starts a worker of an application of its own, and waits until it is ready; with ``is_idle=True`` makes none."""


@contextmanager
def deaf(start: Start) -> Generator[Shop]:
    """Let a worker never ask for messages again."""
    shop = start(FAULTS)
    shop.send("shop.deafen", ())
    time.sleep(1.2)  # kombu's pop that is under way returns within a second
    shop.send()
    yield shop


@contextmanager
def hoarding(start: Start) -> Generator[Shop]:
    """Fill a worker's memory with runs that are not due."""
    shop = start()
    for number in range(120):
        shop.send(args=(number, 0), countdown=7200)
    wait_until(lambda: shop.redis.hlen("unacked") == 120, "its worker holds them")
    yield shop


@contextmanager
def twin(start: Start) -> Generator[Shop]:
    """Start another worker under the same name."""
    shop = start()
    other = replace(shop, process=None)
    other.start()
    try:
        wait_until(lambda: shop.log.read_text().count(" ready.") == 2, "its twin is ready")
        yield shop
    finally:
        other.stop(signal.SIGKILL)


@contextmanager
def leftovers(start: Start) -> Generator[Shop]:
    """Kill a worker with what it runs."""
    shop = start({"task_acks_late": True})
    kept = start({"task_acks_late": True}, database=shop.database, node="k")
    kept.app.control.cancel_consumer("celery", [kept.name], reply=True, timeout=5)
    shop.send("shop.nap", (600,))
    wait_until(lambda: shop.runs() == ["nap 600"], "it runs")
    shop.stop(signal.SIGKILL)
    yield shop


@contextmanager
def for_nobody(start: Start) -> Generator[Shop]:
    """Mistype the name of a queue."""
    shop = start()
    shop.send(queue="celrey")
    yield shop


@contextmanager
def no_consumer(start: Start) -> Generator[Shop]:
    """Send to a queue that no worker has."""
    shop = start()
    shop.send(queue="reports")
    yield shop


@contextmanager
def unregistered(start: Start) -> Generator[Shop]:
    """Send tasks that no worker has, while the worker does not take them and throw them away."""
    shop = start(FAULTS)
    shop.send("shop.deafen", ())
    time.sleep(1.2)
    shop.app.send_task("shop.renamed")
    yield shop


@contextmanager
def goes_round(start: Start) -> Generator[Shop]:
    """Give a message back again and again."""
    shop = start(FAULTS)
    shop.send("shop.bounce", ())
    time.sleep(1)
    yield shop


@contextmanager
def starved(start: Start) -> Generator[Shop]:
    """Let a worker fetch all there is, and start another one."""
    shop = start()
    for _ in range(5):
        shop.send("shop.nap", (600,))
    wait_until(lambda: len(shop.runs()) == 2, "two run")
    start(database=shop.database, node="i")
    wait_until(lambda: shop.redis.llen("celery") == 0, "nothing waits")
    yield shop


@contextmanager
def silent(start: Start) -> Generator[Shop]:
    """Freeze a worker."""
    shop = start()
    place = str(shop.database)
    wait_until(lambda: any(row["db"] == place and int(row["psub"]) for row in shop.redis.client_list()), "it listens")
    os.kill(shop.pid, signal.SIGSTOP)
    try:
        shop.send()
        yield shop
    finally:
        os.kill(shop.pid, signal.SIGCONT)


@contextmanager
def crash_looping(start: Start) -> Generator[Shop]:
    """Start a worker anew whenever it dies, and kill it again and again."""
    shop = start()
    stopping = threading.Event()

    def restart() -> None:
        while not stopping.wait(1.0):
            seen = shop.log.read_text().count(" ready.")
            shop.stop(signal.SIGKILL)
            shop.start()
            wait_until(lambda: shop.log.read_text().count(" ready.") > seen, "it is ready again")  # noqa: B023

    thread = threading.Thread(target=restart)
    thread.start()
    try:
        yield shop
    finally:
        stopping.set()
        thread.join()


@contextmanager
def over_memory(start: Start) -> Generator[Shop]:
    """Let a child take more memory than it may."""
    shop = start({**FAULTS, "worker_max_memory_per_child": 50_000}, "-P", "prefork", "-c", "1")
    shop.send("shop.fatten", (100,))
    time.sleep(1)
    yield shop


@contextmanager
def growing(start: Start, places: int = 2, rate_limit: str = "1/s") -> Generator[Shop]:
    """Send more than a worker may take, or has places for."""
    shop = start({"task_annotations": {"shop.add": {"rate_limit": rate_limit}}}, "-c", str(places))
    stopping = threading.Event()

    def send() -> None:
        while not stopping.wait(0.02):
            shop.send()

    for _ in range(300):
        shop.send()
    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield shop
    finally:
        stopping.set()
        thread.join()


@contextmanager
def leaked_replies(start: Start) -> Generator[Shop]:
    """Leave answers to remote control behind."""
    shop = start()
    for _ in range(30):
        shop.redis.lpush(f"{uuid.uuid4()}.reply.celery.pidbox", "x" * 1000)
    yield shop


@contextmanager
def lasting_results(start: Start) -> Generator[Shop]:
    """Keep results for ever."""
    shop = start({"result_backend": "her own", "result_expires": None})
    shop.send()
    wait_until(lambda: any(b"celery-task-meta-" in key for key in shop.redis.keys("*")), "its result is there")
    yield shop


@contextmanager
def set_server(start: Start, **settings: str) -> Generator[Shop]:
    """Set the server so that it harms."""
    shop = start()
    before = {name: shop.redis.config_get(name)[name] for name in settings}
    for name, value in settings.items():
        shop.redis.config_set(name, value)
    try:
        yield shop
    finally:
        for name, value in before.items():
            shop.redis.config_set(name, value)


@contextmanager
def memory_full(start: Start) -> Generator[Shop]:
    """Leave the server next to no memory."""
    shop = start()
    shop.redis.config_set("maxmemory", int(shop.redis.info("memory")["used_memory"] * 1.05))
    try:
        yield shop
    finally:
        shop.redis.config_set("maxmemory", "0")


@contextmanager
def missing_rights(start: Start) -> Generator[Shop]:
    """Come as a user who may not look at everything."""
    shop = start(user="few")
    rules: Any = {"passwords": ["+secret"], "categories": ["+@all"], "commands": ["-client|list", "-config", "-scan"]}
    shop.redis.acl_setuser("few", enabled=True, keys=["*"], channels=["*"], **rules)
    shop.send(queue="attic")
    yield shop


@contextmanager
def beat_gone(start: Start) -> Generator[Shop]:
    """Keep a schedule of RedBeat that no beat sends."""
    shop = start()
    keep_entry(shop, sent_at=time.time())
    yield shop


@contextmanager
def abandoned(start: Start) -> Generator[Shop]:
    """Keep a schedule of RedBeat of which nothing was sent for days."""
    shop = start()
    keep_entry(shop, sent_at=time.time() - 5 * 86_400)
    yield shop


def keep_entry(shop: Shop, *, sent_at: float) -> None:
    """Let RedBeat write an entry that is due every five minutes, and say when it was sent last."""
    from redbeat import RedBeatSchedulerEntry

    shop.app.conf.redbeat_redis_url = shop.url
    last = datetime.fromtimestamp(sent_at, UTC)
    entry: Any = RedBeatSchedulerEntry("tick", "shop.add", 300, app=shop.app, last_run_at=last)
    shop.redis.delete(entry.key)
    entry.save()
    shop.redis.zadd("redbeat::schedule", {entry.key: sent_at + 300})


@dataclass(frozen=True, slots=True)
class Made:
    """A fault, and the kind of finding that names it."""

    kind: str
    make: Callable[[Start], Any]


ALL = {
    "deaf": Made("deaf", deaf),
    "hoarding": Made("hoarding", hoarding),
    "ETA beyond the visibility timeout": Made("visibility timeout", hoarding),
    "twin": Made("twin", twin),
    "leftovers of a killed worker": Made("leftovers", leftovers),
    "mistyped queue": Made("for nobody", for_nobody),
    "queue without a worker": Made("no consumer", no_consumer),
    "unregistered task": Made("unregistered task", unregistered),
    "message that goes round": Made("goes round", goes_round),
    "starved by a sibling": Made("starved", starved),
    "frozen worker": Made("silent", silent),
    "crash-looping": Made("crash-looping", crash_looping),
    "child over its memory": Made("over memory", over_memory),
    "growing queue": Made("growing", growing),
    "leaked replies": Made("leaked replies", leaked_replies),
    "results for ever": Made("results without expiry", lasting_results),
    "evicting broker": Made(
        "eviction", lambda start: set_server(start, **{"maxmemory-policy": "allkeys-lru", "maxmemory": "1gb"})
    ),
    "idle connections cut": Made("idle timeout", lambda start: set_server(start, timeout="300")),
    "nothing kept on disk": Made("persistence", lambda start: set_server(start, save="")),
    "memory nearly full": Made("memory", memory_full),
    "missing rights": Made("rights", missing_rights),
    "beat gone": Made("beat gone", beat_gone),
    "abandoned schedule": Made("abandoned schedule", abandoned),
}
"""Faults of every kind that need no other versions."""

HEALTHY: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "idle threads": ({}, ()),
    "prefork": ({}, ("-P", "prefork", "-c", "2")),
    "solo": ({}, ("-P", "solo")),
    "no remote control": ({"worker_enable_remote_control": False}, ()),
    "no events": ({}, ("--without-heartbeat", "--without-gossip", "--without-mingle")),
    "task events": ({"worker_send_task_events": True}, ()),
    "results": ({"result_backend": "her own"}, ()),
    "late": ({"task_acks_late": True, "worker_prefetch_multiplier": 1}, ()),
    "prefix": ({"broker_transport_options": {"global_keyprefix": "shop:"}}, ()),
    "priorities": (
        {"broker_transport_options": {"priority_steps": list(range(10))}, "worker_prefetch_multiplier": 1}, (),
    ),
}  # fmt: skip
"""Settings and a worker's options of healthy applications."""
