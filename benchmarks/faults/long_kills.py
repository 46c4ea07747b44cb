"""The long form of ``kills``: a million runs, hundreds of kills of everything, in a folder that can be gone on with.

``python -m benchmarks.faults kills --long`` publishes runs in waves while workers, their children, the guardian, the
broker, or all of them at once are killed, at places of the sequence that the seed says. The same command goes on where
it was stopped, also by a kill or a reboot, and with larger numbers goes on further.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import threading
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

import redis
from kombu.exceptions import OperationalError

from benchmarks.faults.account import FORGOTTEN_S, Account, Kill, Verdict, quantile
from benchmarks.faults.long_stack import LongStack
from benchmarks.faults.stack import wait_until
from benchmarks.faults.tally import Tally
from config.paths import DEFAULT_HOME

RUNS, KILLS, SEED = 1_000_000, 300, 20_261
WAVE = 200
BACKLOG = 2_000
"""Runs that wait at most; a wave is published when there are fewer."""

LONG_EVERY, LONG_S = 200, 0.5
"""One in so many runs takes so long, the others as good as nothing."""

TELL_EVERY_S = 10.0
STUCK_S = 180.0
"""Without any run that ends for so long the rest is stuck."""

QUIET_S = 5.0
"""Time without any run that ends after which it counts whether anything is left."""

PATIENT = {"max_retries": None, "interval_start": 0.1, "interval_step": 0.2, "interval_max": 1.0}
"""How a run is published while the broker is away: tried again until it is there."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the long form."""
    group = parser.add_argument_group("the long form of kills")
    group.add_argument("--long", action="store_true", help="a long form of kills that can be interrupted")
    group.add_argument("--pool", choices=("prefork", "threads"), default="prefork")
    group.add_argument("--runs", type=int, default=RUNS, metavar="N", help=f"how many runs (default {RUNS:,})")
    group.add_argument("--kills", type=int, default=KILLS, metavar="N", help=f"how many kills (default {KILLS})")
    group.add_argument("--seed", type=int, default=SEED, metavar="S", help="of the kills")
    group.add_argument("--folder", type=Path, metavar="F", help="its state (default var/kills/POOL)")


class LongKills:
    """One long run of kills.

    Args:
        folder: Its state; made where it is missing.
        pool: Celery's name of the workers' pool.
        seed: Of the kills.

    Raises:
        ValueError: The folder belongs to another pool or seed.
    """

    def __init__(self, folder: Path, pool: str, seed: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._seed = folder, seed
        self._is_resumed = self._claim({"pool": pool, "seed": seed})
        self._alive = folder / "alive"
        self.kills = self._read_kills()
        self.stopping = threading.Event()
        self._stack = LongStack(folder, pool)
        self.tally = Tally(self._stack.evidence)
        self._failure: Exception | None = None

    def go_on(self, runs: int, kills: int) -> Verdict | None:
        """Publish and kill until all is done, or stuck; None when it was interrupted."""
        if self._is_resumed:
            self._note_interruption()
            self._close_gap()
        publishing = threading.Thread(target=self._publish, args=(runs,))
        publishing.start()
        try:
            self._kill_until_done(runs, kills)
            if self.stopping.is_set():
                print(f"so far: {self.verdict()}", flush=True)
                return None
            wait_until(lambda: self._stack.held() == 0, 60)
            return self.verdict(is_over=True)
        finally:
            self.stopping.set()
            publishing.join()
            self._alive.write_text(str(time.time()))
            self._stack.close()

    def verdict(self, *, is_over: bool = False) -> Verdict:
        """Sum up what has happened so far; what is lost or stuck shows when all is over."""
        published = self._published
        account = Account.of(self.tally.repeats(), self.kills)
        stuck = self._stack.held() if is_over else 0
        undone = self.tally.undone(0, published) if is_over else []
        accepted = [self.tally.accepted_at(run) for run in undone]
        erased = sum(any(kill.may_have_erased(at) for kill in self.kills) for at in accepted)
        for repeat in account.unexplained:
            print(f"started again without a kill: {repeat}", flush=True)
        if undone:
            print(f"not done: {undone[:100]}", flush=True)
        sheet = self._stack.balance() if is_over else None
        kinds = Counter(kill.kind for kill in self.kills)
        return Verdict(
            pool=self._stack.pool,
            seed=self._seed,
            published=published,
            done=self.tally.done,
            stuck=stuck,
            lost=max(0, len(undone) - erased - stuck),
            erased=erased,
            twice=account.in_flight,
            forgotten=account.forgotten,
            unexplained=len(account.unexplained),
            interruptions=kinds.pop("interruption", 0),
            kills=dict(kinds),
            rescue_p99_by_kind={kind: round(quantile(found, 0.99), 2) for kind, found in account.rescues.items()},
            rescue_p50_s=round(account.rescue(0.5), 2),
            rescue_p99_s=round(account.rescue(0.99), 2),
            rescue_max_s=round(account.rescue(1), 2),
            unbalanced=None if sheet is None else sheet.missing,
        )

    def _kill_until_done(self, runs: int, kills: int) -> None:
        """Strike where the sequence says so, and tell how far it is."""
        begun, begun_at, told = self.tally.done, time.monotonic(), 0.0
        last, progressed = begun, time.monotonic()
        while not self.stopping.wait(0.1):
            self._alive.write_text(str(time.time()))
            done = self.tally.done
            if done != last:
                last, progressed = done, time.monotonic()
            struck = sum(kill.number >= 0 for kill in self.kills)
            if struck < kills and done >= (struck + 1) * runs // (kills + 1):
                self._note(self._stack.strike(struck, self._seed))
                progressed = time.monotonic()
            if time.monotonic() - told > TELL_EVERY_S:
                told = time.monotonic()
                rate = (done - begun) / max(told - begun_at, 1)
                print(self._progress(done, runs, struck, kills, rate), flush=True)
            if self._failure is not None:
                raise self._failure
            idle_s = time.monotonic() - progressed
            if done >= runs or idle_s > STUCK_S or (idle_s > QUIET_S and self._is_empty(runs)):
                return

    def _is_empty(self, runs: int) -> bool:
        """Tell whether all runs were published, and nothing is left of them: a killed broker forgot the rest."""
        return self._published >= runs and wait_until(lambda: self._stack.held() == 0, 0.1)

    def _progress(self, done: int, runs: int, struck: int, kills: int, rate: float) -> str:
        account = Account.of(self.tally.repeats(), self.kills)
        return (
            f"{done:,} of {runs:,} runs, {struck} of {kills} kills, {rate:.0f} runs/s; in flight at a kill "
            f"{account.in_flight}, unexplained {len(account.unexplained)}, rescue p99 {account.rescue(0.99):.1f} s"
        )

    def _publish(self, runs: int) -> None:
        """Publish in waves; a wave is noted before it begins and when all of it was accepted."""
        first = self._published
        try:
            while first < runs and not self.stopping.is_set():
                if first - self.tally.done > BACKLOG:
                    self.stopping.wait(0.05)
                    continue
                end = min(first + WAVE, runs)
                self._stack.evidence.set("intended", end)
                self.tally.note_accepted(first, self._send(range(first, end)))
                self._stack.evidence.set("published", end)
                first = end
        except (redis.RedisError, OperationalError, OSError) as error:
            self._failure = error

    def _send(self, runs: range | list[int]) -> list[float]:
        """Publish runs; returns when each was accepted, in seconds since the epoch."""
        accepted: list[float] = []
        for run in runs:
            seconds = LONG_S if run % LONG_EVERY == 0 else 0.0
            send: Any = self._stack.producer.send_task
            send("faults.tally", (run, seconds), priority=5, ignore_result=True, retry=True, retry_policy=PATIENT)
            accepted.append(time.time())
        return accepted

    def _close_gap(self) -> None:
        """Publish what the interrupted wave had not published: what has not begun when nothing is left."""
        first, end = self._published, int(self._stack.evidence.get("intended") or 0)
        if first >= end:
            return
        wait_until(lambda: self._stack.held() == 0, 300)
        self._send(self.tally.unbegun(first, end))
        self._stack.evidence.set("published", end)

    @property
    def _published(self) -> int:
        return int(self._stack.evidence.get("published") or 0)

    def _claim(self, plan: dict[str, Any]) -> bool:
        """Note whose folder it is; True when it was that already."""
        file = self._folder / "plan.json"
        if not file.exists():
            file.write_text(json.dumps(plan))
            return False
        if json.loads(file.read_text()) != plan:
            raise ValueError(f"{self._folder} holds another sequence: {file.read_text()}; name another folder")
        return True

    def _note_interruption(self) -> None:
        """All that ran when the harness was stopped was killed, at some time since it was last seen."""
        with contextlib.suppress(OSError, ValueError):
            since = float(self._alive.read_text()) - FORGOTTEN_S
            self._note(Kill(-1, "interruption", frozenset(), since, time.time()))

    def _note(self, kill: Kill) -> None:
        self.kills.append(kill)
        with (self._folder / "kills.jsonl").open("a") as file:
            file.write(json.dumps(asdict(kill) | {"pids": sorted(kill.pids)}) + "\n")

    def _read_kills(self) -> list[Kill]:
        file = self._folder / "kills.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        return [Kill(**(known | {"pids": frozenset(known["pids"])})) for known in map(json.loads, lines)]


def main(options: argparse.Namespace) -> int:
    """Run the long form, or go on with it; the exit code is 0 when it holds, 130 when it was interrupted."""
    folder = options.folder or DEFAULT_HOME / "kills" / options.pool
    running = LongKills(folder.absolute(), options.pool, options.seed)

    def stop(_number: int, _frame: FrameType | None) -> None:
        running.stopping.set()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    verdict = running.go_on(options.runs, options.kills)
    if verdict is None:
        print(f"interrupted; the same command goes on with {folder}")
        return 130
    (folder / "verdict.json").write_text(json.dumps(verdict.told, indent=1) + "\n")
    print(json.dumps(verdict.told) if options.json else str(verdict))
    return 0 if verdict.holds else 1
