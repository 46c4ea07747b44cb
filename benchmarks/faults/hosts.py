"""Hosts of workers that are lost, or that freeze for longer than a lease and thaw when another one has the name."""

from __future__ import annotations

import os
import signal
import subprocess
import time

from benchmarks.faults.seen import LONG, Scale, Seen, seen
from benchmarks.faults.stack import Stack, children_of, wait_until
from celery_nexus.delivery import keys
from celery_nexus.delivery.leases.lease import LEASE_S

NODE = "w0"
LATE_S = 30.0
ROUND_RUNS, SECONDS = 300, 0.2
LOST_RUNS = 60
"""Runs of a round in which the host is lost: the other worker is done with what waits before the rescue."""

RESCUE_S = 20.0
"""Longest time until what a lost host ran is started again elsewhere."""


class _TwoHosts(Stack):
    """A stack whose first worker runs on a host that nobody else of the stack can see."""

    is_elsewhere = True
    is_lost = False
    """Whether the host of the first worker starts nothing again."""

    def respawn_workers(self) -> None:
        """Start the workers again that have ended, unless there is no host for it."""
        if not self.is_lost:
            super().respawn_workers()

    def _spawn(self, command: list[str], environment: dict[str, str], log: str) -> subprocess.Popen[bytes]:
        if log == NODE and self.is_elsewhere:
            environment = environment | {"FAULTS_NAMESPACE": f"pid:[{time.monotonic_ns()}]"}
        return super()._spawn(command, environment, log)


def frozen_host(delivery: str, scale: Scale) -> Seen:
    """Freeze a worker with its children, let others have its runs and its name, and let it go on."""
    rounds = 1 if scale.rounds < LONG.rounds else 3
    stack = _TwoHosts(delivery)
    at_work: set[str] = set()
    rescues: list[float] = []
    ends: list[int | None] = []
    try:
        stack.wait_ready()
        for turn in range(rounds):
            _freeze(stack, turn, at_work, rescues, ends)
            stack.wait_done((turn + 1) * ROUND_RUNS, scale.settle_s + ROUND_RUNS * SECONDS)
            _move_away(stack)
        again = {name for name, count in stack.counts("started").items() if count > 1}
        note = f"{len(at_work)} ran when it froze; {len(again - at_work)} others ran twice; exit codes {ends}"
        worst = max(rescues, default=0.0)
        return seen(stack, rounds * ROUND_RUNS, round(worst, 1) or None, note, also=again <= at_work)
    finally:
        stack.close()


def lost_host(delivery: str, scale: Scale) -> Seen:
    """End a worker and its children where nobody sees it, and wait until others run what it ran."""
    rounds = 1 if scale.rounds < LONG.rounds else 3
    stack = _TwoHosts(delivery)
    at_work: set[str] = set()
    rescues: list[float] = []
    try:
        stack.wait_ready()
        for turn in range(rounds):
            _lose(stack, turn, at_work, rescues)
            stack.wait_done((turn + 1) * LOST_RUNS, scale.settle_s + LOST_RUNS * SECONDS)
            _start_and_wait(stack)
            stack.is_lost = False
        again = {name for name, count in stack.counts("started").items() if count > 1}
        worst = max(rescues, default=0.0)
        note = f"{len(at_work)} ran when it was lost; the first was back after {min(rescues, default=0.0):.1f} s"
        holds = again == at_work and len(rescues) == len(at_work) and worst <= RESCUE_S
        return seen(stack, rounds * LOST_RUNS, round(worst, 1) or None, note, also=holds)
    finally:
        stack.close()


def _lose(stack: _TwoHosts, turn: int, at_work: set[str], rescues: list[float]) -> None:
    stack.publish(LOST_RUNS, SECONDS, prefix=f"r{turn}-")
    wait_until(lambda: _at_work(stack) and stack.counts("done").get(f"r{turn}-0"), 60)
    stack.is_lost = True
    lost = stack.workers[NODE]
    processes = [lost.pid, *children_of(lost.pid)]
    for pid in processes:  # stopped first: none of them ends a run, or tells of the others' end
        os.kill(pid, signal.SIGSTOP)
    held, killed_at = _at_work(stack), time.time()
    for pid in processes:
        os.kill(pid, signal.SIGKILL)
    lost.wait()
    wait_until(lambda: all(len(stack.starts()[name]) > 1 for name in held), LEASE_S + LATE_S)
    at_work |= held
    rescues += [starts[1][0] - killed_at for name, starts in stack.starts().items() if name in held and starts[1:]]


def _freeze(stack: _TwoHosts, turn: int, at_work: set[str], rescues: list[float], ends: list[int | None]) -> None:
    stack.publish(ROUND_RUNS, SECONDS, prefix=f"r{turn}-")
    wait_until(lambda: _at_work(stack) and stack.counts("done").get(f"r{turn}-0"), 60)
    frozen = stack.workers[NODE]
    processes = [frozen.pid, *children_of(frozen.pid)]
    for pid in processes:
        os.kill(pid, signal.SIGSTOP)
    at_work |= _at_work(stack)
    began = time.monotonic()
    wait_until(lambda: not stack.client.hexists(keys.LEASES, f"{NODE}@faults"), LEASE_S + LATE_S)
    rescues.append(time.monotonic() - began)
    stack.is_elsewhere = False
    _start_and_wait(stack)
    for pid in reversed(processes):
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: frozen.poll() is not None, 30)
    ends.append(frozen.poll())
    frozen.kill()


def _move_away(stack: _TwoHosts) -> None:
    """Let the worker run where nobody sees it, as in the beginning."""
    stack.is_elsewhere = True
    worker, begun = stack.workers[NODE], stack.begun[NODE]
    worker.send_signal(signal.SIGTERM)
    wait_until(lambda: stack.workers[NODE] is not worker and stack.log(NODE).count(" ready.") > begun, 60)


def _start_and_wait(stack: _TwoHosts) -> None:
    ready = stack.log(NODE).count(" ready.")
    stack.start_worker(NODE)
    wait_until(lambda: stack.log(NODE).count(" ready.") > ready, 60)


def _at_work(stack: Stack) -> set[str]:
    """Name the runs that the worker has started and not ended."""
    worker, done = stack.workers[NODE].pid, stack.counts("done")
    return {name for name, starts in stack.starts().items() if name not in done and starts[-1][1][1] == worker}
