"""Faults of the broker and of the way to it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.faults.proxy import Proxy
from benchmarks.faults.seen import LONG, SHORT, Scale, Seen, seen
from benchmarks.faults.stack import Stack, wait_until
from celery_nexus.embedded_broker.password import read_embedded_password
from celery_nexus.paths import Paths

RECOVERY_LIMIT_S = 60.0
SILENCE_LIMIT_S = 20.0


def _trouble(
    delivery: str, scale: Scale, rounds: int, trouble: Callable[[Stack], str], limit_s: float, *, slack: int = 0
) -> Seen:
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
            wait_until(lambda before=before: int(stack.evidence.hlen("done")) > before, RECOVERY_LIMIT_S)
            recoveries.append(time.monotonic() - relieved)
        stack.wait_done(runs, scale.settle_s + runs * 0.05)
        wait_until(lambda: stack.held() == 0, 10)
        worst = max(recoveries)
        note = " ".join(sorted(set(notes)))
        return seen(stack, runs, round(worst, 2), note, also=worst <= limit_s, slack=slack)
    finally:
        stack.close()


def broker_killed(delivery: str, scale: Scale) -> Seen:
    """Kill the broker under load and start it again, 3 times."""

    def trouble(stack: Stack) -> str:
        time.sleep(1.2)  # the append-only file is synced each second
        stack.stop_broker()
        time.sleep(1)
        stack.start_again()
        return "append-only file synced each second"

    return _trouble(delivery, scale, 3 if scale is LONG else 1, trouble, 5, slack=200)


def broker_frozen(delivery: str, scale: Scale) -> Seen:
    """Freeze the broker (SIGSTOP)."""

    def trouble(stack: Stack) -> str:
        os.kill(stack.broker.pid, signal.SIGSTOP)
        time.sleep(scale.frozen_s)
        os.kill(stack.broker.pid, signal.SIGCONT)
        return f"frozen for {scale.frozen_s:g} s"

    return _trouble(delivery, scale, 1, trouble, 10)


def connections_cut(delivery: str, scale: Scale) -> Seen:
    """Cut every connection, many times."""

    def trouble(stack: Stack) -> str:
        for _ in range(10):
            stack.client.client_kill_filter(_type="normal", skipme=True)
            stack.client.client_kill_filter(_type="pubsub", skipme=True)
            time.sleep(0.1)
        return "all connections, 10 times a round"

    return _trouble(delivery, scale, 1 if scale is SHORT else 5, trouble, 10)


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

    return _trouble(delivery, scale, 1, trouble, 10)


def half_open(delivery: str, scale: Scale) -> Seen:
    """Let every open connection fall silent without being closed, as a vanished router does."""
    proxies: list[Proxy] = []

    def address(home: Path) -> str:
        paths = Paths.of(home)
        proxies.append(Proxy(paths.broker_socket))
        return f"redis://:{read_embedded_password(paths)}@127.0.0.1:{proxies[0].port}/0"

    stack = Stack(delivery, workers=1, broker_url=address)
    try:
        stack.wait_ready()
        runs = min(scale.runs, 400)
        stack.publish(runs, 0.05)
        wait_until(lambda: int(stack.evidence.hlen("done")) >= runs // 10, 30)
        proxies[0].silence()
        silent = time.monotonic()
        time.sleep(1)  # what a child was at comes to its end
        before = int(stack.evidence.hlen("done"))
        wait_until(lambda: int(stack.evidence.hlen("done")) > before + 4, RECOVERY_LIMIT_S)
        back_s = time.monotonic() - silent
        stack.wait_done(runs, scale.settle_s)
        note = "" if back_s < RECOVERY_LIMIT_S else f"hung for {RECOVERY_LIMIT_S:g} s, then given up"
        return seen(stack, runs, round(back_s, 2), note, also=back_s <= SILENCE_LIMIT_S)
    finally:
        stack.close()
        for proxy in proxies:
            proxy.close()
