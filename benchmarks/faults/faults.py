"""The faults: each returns what it saw, in the words of the table."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.faults.malformed import CONTROL, MALFORMED, message
from benchmarks.faults.stack import QUEUE, Stack, wait_until

SEED = 20_261


@dataclass(frozen=True)
class Seen:
    """What one fault did.

    Attributes:
        published: Runs that were accepted.
        done: Of these, how many ran to their end.
        stuck: Messages that are still somewhere at the end.
        twice: Runs that were started more than once.
        exits: Worker processes that ended by themselves or were killed.
        recovery_s: Seconds from the fault's end until work went on; None where that makes no sense.
        holds: Whether the promise was kept.
        note: What else is worth knowing.
    """

    published: int
    done: int
    stuck: int
    twice: int
    exits: int
    recovery_s: float | None
    holds: bool
    note: str = ""

    @property
    def lost(self) -> int:
        """Runs that never ran to their end."""
        return self.published - self.done


@dataclass(frozen=True)
class Scale:
    """How much of a fault: the short form runs on every change, the long one before a release."""

    runs: int
    kills: int
    frozen_s: float
    rounds: int
    settle_s: float


SHORT = Scale(runs=300, kills=6, frozen_s=3, rounds=2, settle_s=30)
LONG = Scale(runs=10_000, kills=60, frozen_s=20, rounds=20, settle_s=120)


def _seen(
    stack: Stack, published: int, recovery_s: float | None, note: str = "", *, also: bool = True, kept: int = 0
) -> Seen:
    done = sum(1 for name in stack.counts("done") if name.startswith("r"))
    twice = sum(1 for name, count in stack.counts("started").items() if count > 1 and name.startswith("r"))
    stuck = max(0, stack.held() - kept)
    holds = done == published and stuck == 0 and also
    return Seen(published, done, stuck, twice, len(stack.exits), recovery_s, holds, note)


def kills(delivery: str, scale: Scale) -> Seen:
    """Kill a random worker process every 2 s under load."""
    stack = Stack(delivery)
    try:
        stack.wait_ready()
        seconds = scale.kills * 2 * 4 / scale.runs
        stack.publish(scale.runs, seconds)
        chance = random.Random(SEED)
        for _ in range(scale.kills):
            time.sleep(2)
            stack.kill_one(chance)
        ended = time.monotonic()
        stack.wait_done(scale.runs, scale.settle_s + scale.runs * seconds / 4)
        wait_until(lambda: stack.held() == 0, 10)
        return _seen(stack, scale.runs, time.monotonic() - ended, f"{scale.kills} kills, seed {SEED}")
    finally:
        stack.close()


def malformed(delivery: str, scale: Scale) -> Seen:
    """Push every kind of malformed message between good ones, and garbage into the control channel."""
    stack = Stack(delivery, workers=1)
    try:
        stack.wait_ready()
        pid = stack.workers["w0"].pid
        good = max(scale.runs // 10, 2 * len(MALFORMED))
        kinds = list(MALFORMED.values())
        for number in range(good):
            run = json.dumps(message("faults.work", (f"r{number}",)))
            bad = kinds[number : number + 1]
            stack.client.lpush(f"{QUEUE}:5", *bad, run)
        for raw in CONTROL.values():
            stack.client.publish("/0.celery.pidbox", raw)
        stack.wait_done(good, scale.settle_s)
        wait_until(lambda: stack.held() == 0, 5)
        dead = int(stack.client.zcard("nexus:dead"))
        same = stack.workers["w0"].pid == pid
        note = f"{dead} dead letters of {len(kinds)} kinds, {len(CONTROL)} bad control messages"
        return _seen(stack, good, None, note, also=same and dead == len(kinds))
    finally:
        stack.close()


def poison(delivery: str, scale: Scale) -> Seen:
    """Run tasks that kill their child (SIGKILL, exit, segmentation fault) or the worker, with others behind them."""
    stack = Stack(delivery, workers=1)
    ways = ("kill", "exit", "segfault", "worker")
    try:
        stack.wait_ready()
        for way in ways[:3]:
            stack.producer.send_task("faults.poison", (way, way), priority=5)
        stack.publish(100)
        started = time.monotonic()
        stack.wait_done(100, scale.settle_s)
        behind_s = time.monotonic() - started
        stack.producer.send_task("faults.poison", ("worker", "worker"), priority=5)
        wait_until(lambda: int(stack.client.zcard("nexus:dead")) == len(ways), scale.settle_s)
        wait_until(lambda: stack.held() == 0, 5)
        starts = {name: count for name, count in stack.counts("started").items() if name in ways}
        thrice = starts == dict.fromkeys(ways, 3)
        return _seen(stack, 100, behind_s, f"starts {starts}", also=thrice and behind_s <= 10)
    finally:
        stack.close()


def visibility(delivery: str, scale: Scale) -> Seen:
    """Run for twice, and be delayed by twice, the visibility timeout, with 4 workers."""
    timeout_s = 3
    stack = Stack(delivery, workers=4, concurrency=1, prefetch=1, FAULTS_VISIBILITY_S=str(timeout_s))
    try:
        stack.wait_ready()
        stack.producer.send_task("faults.work", ("r0", 2.0 * timeout_s), priority=5)
        stack.producer.send_task("faults.work", ("r1",), priority=5, countdown=2 * timeout_s)
        stack.wait_done(2, scale.settle_s)
        time.sleep(2 * timeout_s)
        starts = stack.counts("started")
        return _seen(stack, 2, None, f"starts {starts}", also=max(starts.values()) == 1)
    finally:
        stack.close()


def _broker_trouble(delivery: str, scale: Scale, rounds: int, trouble: Callable[[Stack], str], limit_s: float) -> Seen:
    """Cause trouble under load, several times; measure how soon work goes on."""
    stack = Stack(delivery)
    recoveries: list[float] = []
    notes: list[str] = []
    runs = min(scale.runs, 1000)
    try:
        stack.wait_ready()
        stack.publish(runs, 0.05)
        for _ in range(rounds):
            time.sleep(1)
            notes.append(trouble(stack))
            relieved = time.monotonic()
            before = int(stack.evidence.hlen("done"))
            wait_until(lambda before=before: int(stack.evidence.hlen("done")) > before, 60)
            recoveries.append(time.monotonic() - relieved)
        stack.wait_done(runs, scale.settle_s + runs * 0.05)
        wait_until(lambda: stack.held() == 0, 10)
        return _seen(stack, runs, max(recoveries), " ".join(sorted(set(notes))), also=max(recoveries) <= limit_s)
    finally:
        stack.close()


def broker_killed(delivery: str, scale: Scale) -> Seen:
    """Kill the broker under load and start it again, 3 times."""

    def trouble(stack: Stack) -> str:
        time.sleep(1.2)  # the append-only file is synced each second
        stack.stop_broker()
        time.sleep(1)
        stack.start_again()
        return ""

    return _broker_trouble(delivery, scale, 3 if scale is LONG else 1, trouble, 10)


def broker_frozen(delivery: str, scale: Scale) -> Seen:
    """Freeze the broker (SIGSTOP)."""

    def trouble(stack: Stack) -> str:
        os.kill(stack.broker.pid, signal.SIGSTOP)
        time.sleep(scale.frozen_s)
        os.kill(stack.broker.pid, signal.SIGCONT)
        return f"{scale.frozen_s:g} s"

    return _broker_trouble(delivery, scale, 1, trouble, 10)


def connections_cut(delivery: str, scale: Scale) -> Seen:
    """Cut every connection, many times."""

    def trouble(stack: Stack) -> str:
        for _ in range(10):
            stack.client.client_kill_filter(_type="normal", skipme=True)
            stack.client.client_kill_filter(_type="pubsub", skipme=True)
            time.sleep(0.1)
        return "10 times a round"

    return _broker_trouble(delivery, scale, 1 if scale is SHORT else 5, trouble, 10)


def memory_full(delivery: str, scale: Scale) -> Seen:
    """Let the broker refuse writes (maxmemory)."""

    def trouble(stack: Stack) -> str:
        stack.client.config_set("maxmemory", "1")
        refused = "accepted a run"
        try:
            stack.producer.send_task("faults.work", ("x", 0), priority=5, retry=False)
        except Exception as error:  # noqa: BLE001  whatever a submit raises is the answer
            refused = f"submit said {type(error).__name__}"
        time.sleep(scale.frozen_s)
        stack.client.config_set("maxmemory", "0")
        return refused

    return _broker_trouble(delivery, scale, 1, trouble, 10)


def stops(delivery: str, scale: Scale) -> Seen:
    """Stop workers by SIGTERM and start them again under load."""
    stack = Stack(delivery, FAULTS_SOFT_SHUTDOWN_S="1")
    try:
        stack.wait_ready()
        runs = scale.rounds * 60
        stack.publish(runs, 0.1)
        for turn in range(scale.rounds):
            time.sleep(1)
            worker = stack.workers[f"w{turn % 2}"]
            worker.send_signal(signal.SIGTERM)
            wait_until(lambda worker=worker: worker.poll() is not None, 30)
        stack.wait_done(runs, scale.settle_s + runs * 0.1)
        wait_until(lambda: stack.held() == 0, 10)
        return _seen(stack, runs, None, f"{scale.rounds} stops", also=not _twice(stack))
    finally:
        stack.close()


def _twice(stack: Stack) -> int:
    return sum(count > 1 for count in stack.counts("started").values())


FAULTS: dict[str, Callable[[str, Scale], Seen]] = {
    "kills": kills,
    "malformed": malformed,
    "poison": poison,
    "visibility": visibility,
    "broker killed": broker_killed,
    "broker frozen": broker_frozen,
    "connections cut": connections_cut,
    "memory full": memory_full,
    "stops": stops,
}
