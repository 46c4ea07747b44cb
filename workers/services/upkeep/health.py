"""Health checks run side by side: a broken or stuck one never stops the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from workers.services.upkeep.verdicts import Judged, Verdict, find_worst

Probe = Callable[[], Judged]

PATIENCE_S = 10.0
"""A check that takes longer counts as failed."""


@dataclass(frozen=True)
class Check:
    """What one check found: its verdict, the fact that proves it, and how long it took in milliseconds."""

    name: str
    verdict: Verdict
    fact: str
    ms: float


@dataclass(frozen=True)
class Health:
    """All checks, in the order in which they were asked for."""

    checks: tuple[Check, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of all."""
        return find_worst(check.verdict for check in self.checks)

    def as_json(self) -> dict[str, Any]:
        """Shape it for a task's result: ``verdict``, ``checks``, ``stats`` and a text in ``content``."""
        counts = {word: sum(check.verdict == word for check in self.checks) for word in ("ok", "warning", "failed")}
        lines = [f"{check.verdict:<8}{check.name:<16}{check.ms:>8.1f} ms  {check.fact}" for check in self.checks]
        return {
            "verdict": self.verdict,
            "checks": [asdict(check) for check in self.checks],
            "stats": {**counts, "checks": len(self.checks)},
            "content": "\n".join(lines),
        }


def examine(probes: Mapping[str, Probe], patience_s: float = PATIENCE_S) -> Health:
    """Run every probe in a thread of its own and collect what they say within ``patience_s``."""
    found: dict[str, Check] = {}

    def keep(name: str, probe: Probe) -> None:
        found[name] = run(name, probe)

    # Daemon threads: a probe stuck in a system call must not keep the process from ending.
    threads = [threading.Thread(target=keep, args=pair, daemon=True) for pair in probes.items()]
    deadline = time.monotonic() + patience_s
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    late = f"no answer within {patience_s:g} s"
    return Health(tuple(found.get(name) or Check(name, "failed", late, patience_s * 1000) for name in probes))


def run(name: str, probe: Probe) -> Check:
    """Run one probe and time it; whatever it raises becomes a failed check."""
    began = time.perf_counter()
    try:
        judged = probe()
    except Exception as error:  # noqa: BLE001  (the guard of this module: any error of a probe is its finding)
        judged = Judged("failed", _words(error))
    return Check(name, judged.verdict, judged.fact, round((time.perf_counter() - began) * 1000, 1))


def _words(error: Exception) -> str:
    first = (str(error).splitlines() or [""])[0][:200]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
