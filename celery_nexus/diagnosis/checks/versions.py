"""Versions of celery, kombu, redis-py and server that are known not to work together, and pools that lose events."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from celery_nexus.diagnosis.evidence import Evidence
from celery_nexus.diagnosis.kind import Kind
from celery_nexus.rows.diagnosis.findings import Finding

MIS_VERSIONED = Kind(
    "mis-versioned",
    "worker",
    "warning",
    "A worker runs versions of celery, kombu and redis-py that are known not to work together.",
    "It depends on the versions; the finding says it.",
    "Install versions that belong together: pip install -U 'celery[redis]'.",
)
LOSES_EVENTS = Kind(
    "loses events",
    "worker",
    "warning",
    "A worker with the threads pool sends task events and has a celery that loses some of them.",
    "History and monitors have holes: runs that were seen to start and never to end.",
    "Update celery to 5.7 or newer, or use another pool.",
)

Version = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Bounds:
    """A range of a package's versions.

    Attributes:
        least: From this version on; None: from the first.
        below: Up to, and without, this one; None: without an end.
    """

    least: Version | None = None
    below: Version | None = None

    def has(self, version: Version) -> bool:
        """Tell whether a version is within."""
        return (self.least is None or version >= self.least) and (self.below is None or version < self.below)


@dataclass(frozen=True, slots=True)
class Combination:
    """Versions that are known to do harm together.

    Attributes:
        packages: Package to the range of its versions; all of them have to fit.
        effect: What they do.
        remedy: Command that mends it.
        source: Where it is described.
        pools: Only workers with one of these pools; empty: with any.
    """

    packages: Mapping[str, Bounds]
    effect: str
    remedy: str
    source: str
    pools: tuple[str, ...] = ()


KNOWN_BAD = (
    Combination(
        {"kombu": Bounds(below=(5, 7)), "redis": Bounds(least=(8,))},
        "after a lost connection the worker is up and takes nothing: redis-py mends the connection by itself, and "
        "kombu never asks for messages again",
        "pip install -U 'kombu[redis]>=5.7'",
        "github.com/workfloworchestrator/lso/pull/219, github.com/celery/celery/issues/10502",
    ),
    Combination(
        {"kombu": Bounds((5, 2, 3), (5, 4)), "redis": Bounds()},
        "after several lost connections the worker is up and takes nothing",
        "pip install -U 'kombu[redis]>=5.4'",
        "github.com/celery/kombu/pull/2007",
    ),
    Combination(
        {"kombu": Bounds((5, 6, 0), (5, 6, 2)), "redis": Bounds(below=(5, 3))},
        "connections fail: redis-py does not know credential_provider",
        "pip install -U 'redis>=5.3'",
        "github.com/celery/kombu/issues/2419",
    ),
)
"""Combinations whose source was read; see also the changelogs of kombu."""

BUFFERED_EVENTS = Combination(
    {"celery": Bounds(below=(5, 7))},
    "buffered events are dropped when several threads add to them",
    "pip install -U 'celery>=5.7'",
    "github.com/celery/celery/issues/10434",
    ("threads", "thread"),
)


def read_version(text: str) -> Version:
    """Read ``5.6.2rc1`` as numbers; empty when there are none."""
    found = re.match(r"\d+(?:\.\d+)*", text)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def check_versions(evidence: Evidence) -> list[Finding]:
    """Find workers with a combination that is known to do harm."""
    return [
        MIS_VERSIONED.make(name, _proof(combination, told), combination.remedy)
        for name, told in sorted(evidence.versions.items())
        for combination in KNOWN_BAD
        if fits(combination, told)
    ]


def check_events(evidence: Evidence) -> list[Finding]:
    """Find workers that send task events and lose some of them."""
    found: list[Finding] = []
    for worker in evidence.looks.now.workers:
        told = evidence.versions.get(worker.name, {})
        sends = any(bool(row.get("worker_send_task_events")) for row in evidence.settings.values())
        is_recorded = evidence.past is not None and worker.name in evidence.past.recorded_workers
        if worker.pool in BUFFERED_EVENTS.pools and fits(BUFFERED_EVENTS, told) and (sends or is_recorded):
            proof = f"its pool is {worker.pool}; {_proof(BUFFERED_EVENTS, told)}"
            found.append(LOSES_EVENTS.make(worker.name, proof, BUFFERED_EVENTS.remedy))
    return found


def fits(combination: Combination, told: Mapping[str, str]) -> bool:
    """Tell whether a worker's versions are a known combination; never when it did not tell one of them."""
    versions = {name: read_version(told.get(name, "")) for name in combination.packages}
    return all(version and combination.packages[name].has(version) for name, version in versions.items())


def _proof(combination: Combination, told: Mapping[str, str]) -> str:
    names = ", ".join(f"{name} {told[name]}" for name in combination.packages)
    return f"{names}: {combination.effect} ({combination.source})"


KINDS = (MIS_VERSIONED, LOSES_EVENTS)
CHECKS = (check_versions, check_events)
