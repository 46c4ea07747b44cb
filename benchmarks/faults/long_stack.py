"""The stack of a long run of kills: it lives in a folder that is kept, and everything is started again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from benchmarks.faults.account import Kill
from benchmarks.faults.stack import RESPAWN_S, Stack, children_of, wait_until
from celery_nexus.delivery.leases.process_identity import ProcessIdentity, start_of

KEPT_LOGS = 20
"""Logs of the latest workers of each name that are kept; each is of one process."""

DOWN_S = 0.5
"""A killed broker is away for so long."""

KINDS = {"worker": 4, "child": 3, "guardian": 1, "broker": 1, "everything": 1}
"""What is killed, and how often of ten times; a pool without children has no child to kill."""


class LongStack(Stack):
    """A stack of which everything is killed, and started again.

    Args:
        folder: Where it lives; what an earlier harness left there goes on.
        pool: Celery's name of the workers' pool.
    """

    loading_s = 600.0

    def __init__(self, folder: Path, pool: str) -> None:
        self._programs_file = folder / "programs.jsonl"
        self._incarnations: dict[str, int] = {}
        self.pool = pool
        end_leftovers(self._programs_file)
        super().__init__("reliable", pool=pool, home=folder)

    def start_worker(self, name: str) -> None:
        """Start a worker, with a log of its own."""
        logs = sorted(self.home.glob(f"{name}.*.log"), key=lambda log: log.stat().st_mtime)
        for log in logs[:-KEPT_LOGS]:
            log.unlink(missing_ok=True)
        self._incarnations[name] = time.time_ns()
        super().start_worker(name)

    def log(self, name: str) -> str:
        """Read a program's log; of a worker only what the present process wrote."""
        return super().log(self._log_name(name))

    def strike(self, number: int, seed: int) -> Kill:
        """Kill what the seed says at this place of the sequence, and start it again.

        Raises:
            TimeoutError: No worker is ready within minutes.
        """
        chance = random.Random(f"{seed} {number}")
        kinds = {kind: share for kind, share in KINDS.items() if self.pool == "prefork" or kind != "child"}
        kind = chance.choices(list(kinds), list(kinds.values()))[0]
        if not wait_until(self.ready, 300):
            raise TimeoutError(f"no worker is ready: see the latest logs in {self.home}")
        time.sleep(chance.uniform(0, RESPAWN_S))
        pids = self._targets(kind, chance)
        gone = frozenset(pids) | {child for pid in pids for child in children_of(pid)}
        since = time.time()
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        kill = Kill(number, kind, gone, since, time.time())
        if self.broker.pid in pids:
            self.broker.wait()
            time.sleep(DOWN_S)
            self.start_again()
        return kill

    def ready(self) -> list[str]:
        """Name the workers that are up and consume."""
        return [
            name for name, process in self.workers.items() if process.poll() is None and " ready." in self.log(name)
        ]

    def _targets(self, kind: str, chance: random.Random) -> list[int]:
        workers = [process.pid for process in self.workers.values()]
        others = [process.pid for process in (self.guardian, self.recorder) if process is not None]
        if kind == "everything":
            return [*workers, *others, self.broker.pid]
        if kind in {"broker", "guardian"}:
            return [self.broker.pid if kind == "broker" else others[0]]
        chosen = self.workers[chance.choice(self.ready() or list(self.workers))].pid
        children = sorted(children_of(chosen))
        return [chance.choice(children)] if kind == "child" and children else [chosen]

    def _respawn(self) -> None:
        while not self._stopping.wait(RESPAWN_S):
            self.respawn_workers()
            if self._stopping.is_set():
                return
            if self.guardian is not None and self.guardian.poll() is not None:
                self.start_guardian()
            if self.recorder is not None and self.recorder.poll() is not None:
                self.start_recorder()

    def _spawn(self, command: list[str], environment: dict[str, str], log: str) -> subprocess.Popen[bytes]:
        process = super()._spawn(command, environment, self._log_name(log))
        with suppress(OSError), self._programs_file.open("a") as file:
            identity = ProcessIdentity.identify()
            known = asdict(identity) | {"pid": process.pid, "start": start_of(process.pid) or 0}
            file.write(json.dumps(known) + "\n")
        return process

    def _log_name(self, name: str) -> str:
        return f"{name}.{self._incarnations[name]}" if name in self._incarnations else name


def end_leftovers(file: Path) -> None:
    """End the programs of a harness that was killed, and forget them.

    Args:
        file: Identities of programs, a line each.
    """
    if not file.exists():
        return
    for line in file.read_text().splitlines():
        with suppress(ValueError, TypeError, ProcessLookupError):
            known = ProcessIdentity(**json.loads(line))
            if known.is_running():
                os.kill(known.pid, signal.SIGKILL)
    file.unlink()
