"""Faults of processes: kills, held fetches, poison, stops."""

from __future__ import annotations

import itertools
import math
import os
import random
import signal
import subprocess
import sys
import threading
import time

import psutil

from benchmarks.faults.seen import LONG, SEED, Scale, Seen, seen
from benchmarks.faults.stack import Stack, wait_until
from benchmarks.faults.tasks import PEER_PATIENCE_S

KERNELS_LIMIT_BYTES = 1_000_000_000
"""From here on the harness kills a child, as the kernel does where memory is short."""

DYING_S = 1.0
"""A child learns of its parent's death a moment later, on a busy machine, and may begin another run until then."""

GUARDED_WAYS = ("kill", "exit", "segfault", "memory")


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
        patience_s = {"reliable": scale.runs * seconds / 2, "peer": PEER_PATIENCE_S}.get(delivery, 0.0)
        stack.wait_done(scale.runs, scale.settle_s + patience_s)
        wait_until(lambda: stack.held() == 0, 10)
        rescues, unexplained = _rescues(stack)
        p99 = sorted(rescues)[math.ceil(0.99 * len(rescues)) - 1] if rescues else 0.0
        note = f"{scale.kills} kills, seed {SEED}; rescue p99 {p99:.1f} s; {unexplained} run twice without a kill"
        return seen(stack, scale.runs, round(p99, 2), note, also=p99 <= 10 and not unexplained)
    finally:
        stack.close()


def kills_on_a_busy_machine(delivery: str, scale: Scale) -> Seen:
    """The same beside three programs that never rest."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(3)]
    try:
        return kills(delivery, scale)
    finally:
        for program in busy:
            program.kill()
            program.wait()


def _rescues(stack: Stack) -> tuple[list[float], int]:
    """Measure from the kill of a run's process to its next start; count starts that no kill explains."""
    rescues: list[float] = []
    unexplained = 0
    for starts in stack.starts().values():
        for (at, pids), (again_at, _) in itertools.pairwise(starts):
            killed = [
                since
                for pid, since, until in stack.victims
                if pid in pids and at <= until + DYING_S and since <= again_at
            ]
            if killed:
                rescues.append(again_at - max(at, killed[0]))
            else:
                unexplained += 1
    return rescues, unexplained


def held_fetch(delivery: str, scale: Scale) -> Seen:
    """Kill a worker between the steps of its fetch: after the broker handed out the message, before it is noted."""
    times = 20 if scale is LONG else 2
    stack = Stack(delivery, workers=1, concurrency=1, prefetch=1, FAULTS_HOLD="1")
    backs: list[float] = []
    try:
        stack.wait_ready()
        for number in range(times):
            ready = stack.log("w0").count(" ready.")
            stack.evidence.set("hold", "1")
            stack.producer.send_task("faults.work", (f"r{number}",), priority=5)
            wait_until(lambda: stack.evidence.exists("holding"), 20)
            stack.evidence.delete("holding")
            killed = time.monotonic()
            stack.kill(stack.workers["w0"].pid)
            if wait_until(lambda number=number: stack.evidence.hexists("done", f"r{number}"), 15):
                backs.append(time.monotonic() - killed)
            wait_until(lambda ready=ready: stack.log("w0").count(" ready.") > ready, 60)
        worst = max(backs, default=0.0)
        return seen(stack, times, round(worst, 2), f"{times} kills in the gap", also=worst <= 10)
    finally:
        stack.close()


def poison(delivery: str, scale: Scale) -> Seen:
    """Run tasks that kill their child in four ways, or the worker, with 100 others behind them."""
    stack = Stack(delivery, workers=1)
    threading.Thread(target=_kill_the_greedy, args=(stack,), daemon=True).start()
    try:
        stack.wait_ready()
        stack.publish(100)
        started = time.monotonic()
        stack.wait_done(100, scale.settle_s)
        undisturbed_s = time.monotonic() - started
        stack.evidence.flushall()
        for way in GUARDED_WAYS:
            stack.producer.send_task("faults.poison", (way, way), priority=5)
        stack.publish(100)
        started = time.monotonic()
        stack.wait_done(100, scale.settle_s)
        delay_s = time.monotonic() - started - undisturbed_s
        stack.producer.send_task("faults.poison", ("worker", "worker"), priority=5)
        ways = (*GUARDED_WAYS, "worker")
        wait_until(lambda: int(stack.client.zcard("nexus:dead")) == len(ways), scale.settle_s)
        wait_until(lambda: stack.held() == 0, 5)
        starts = {name: count for name, count in stack.counts("started").items() if name in ways}
        dead = int(stack.client.zcard("nexus:dead"))
        thrice = starts == dict.fromkeys(ways, 3) and dead == len(ways)
        told = ", ".join(f"{way} {starts.get(way, 0)}" for way in ways)
        note = f"starts: {told}; {dead} dead letters; 100 runs behind them {delay_s:.1f} s later than without"
        return seen(stack, 100, round(delay_s, 2), note, also=thrice and delay_s <= 10)
    finally:
        stack.close()


def _kill_the_greedy(stack: Stack) -> None:
    """Play the kernel where memory is short."""
    while stack.broker.poll() is None:
        for worker in tuple(stack.workers.values()):
            try:
                for child in psutil.Process(worker.pid).children():
                    if child.memory_info().rss > KERNELS_LIMIT_BYTES:
                        child.kill()
            except psutil.Error:
                continue
        time.sleep(0.05)


def stops(delivery: str, scale: Scale) -> Seen:
    """Stop workers by SIGTERM and start them again under load; short runs finish, nothing runs twice."""
    stack = Stack(delivery, FAULTS_SOFT_SHUTDOWN_S="3")
    try:
        stack.wait_ready()
        runs = scale.rounds * 40
        stack.publish(runs, 0.1)
        for turn in range(scale.rounds):
            name = f"w{turn % 2}"
            worker, ready = stack.workers[name], stack.log(name).count(" ready.")
            worker.send_signal(signal.SIGTERM)
            wait_until(lambda worker=worker: worker.poll() is not None, 60)
            wait_until(lambda name=name, ready=ready: stack.log(name).count(" ready.") > ready, 60)
        stack.wait_done(runs, scale.settle_s + runs * 0.1)
        wait_until(lambda: stack.held() == 0, 10)
        twice = sum(count > 1 for count in stack.counts("started").values())
        return seen(stack, runs, None, f"{scale.rounds} stops and starts", also=not twice)
    finally:
        stack.close()


def frozen_worker(delivery: str, scale: Scale) -> Seen:
    """Freeze a worker (SIGSTOP) for longer than its lease; it is alive, so nobody may rob it."""
    stack = Stack(delivery, workers=2, concurrency=1, prefetch=1)
    try:
        stack.wait_ready()
        stack.publish(20, 0.2)
        wait_until(lambda: int(stack.evidence.hlen("started")) >= 2, 10)
        worker = stack.workers["w0"]
        os.kill(worker.pid, signal.SIGSTOP)
        time.sleep(scale.frozen_s)
        os.kill(worker.pid, signal.SIGCONT)
        stack.wait_done(20, scale.settle_s)
        twice = sum(count > 1 for count in stack.counts("started").values())
        return seen(stack, 20, None, f"{scale.frozen_s:g} s", also=not twice)
    finally:
        stack.close()
