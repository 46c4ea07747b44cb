"""Remote control commands beyond Celery's; ``celery_nexus.control.source`` sends them."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any

import psutil
from celery.worker import state as _state

from celery_nexus.delivery.commands import Commands

MIN_SAMPLE_S = 1.0
"""Shortest time between two samples of processes, however many dashboards ask: CPU % over less is noise."""


@dataclass
class _Sample:
    taken_at: float
    cpu_percent: float | None
    rss_bytes: int
    started_at: float


class _Processes:
    """CPU and memory of this worker's processes, sampled with a pause between."""

    def __init__(self) -> None:
        self._processes: dict[int, psutil.Process] = {}
        self._samples: dict[int, _Sample] = {}

    def sample(self, pids: list[int]) -> dict[int, _Sample]:
        for gone in set(self._processes) - set(pids):
            self._processes.pop(gone)
            self._samples.pop(gone, None)
        for pid in pids:
            last = self._samples.get(pid)
            if last is None or time.monotonic() - last.taken_at >= MIN_SAMPLE_S:
                try:
                    self._samples[pid] = self._take(pid, first=last is None)
                except psutil.Error:
                    self._processes.pop(pid, None)
                    self._samples.pop(pid, None)
        return {pid: self._samples[pid] for pid in pids if pid in self._samples}

    def _take(self, pid: int, *, first: bool) -> _Sample:
        process = self._processes.setdefault(pid, psutil.Process(pid))
        with process.oneshot():
            cpu_percent = process.cpu_percent(None)
            # The first figure has nothing to compare with: psutil answers 0.
            return _Sample(
                time.monotonic(), None if first else cpu_percent, process.memory_info().rss, process.create_time()
            )


_processes = _Processes()
worker_state: Any = _state  # the stubs know an older Celery


@Commands.register(
    type="inspect", default_timeout=0.5, help="Processes, runs, queues and counters of this worker in one answer."
)
def nexus_stats(state: Any, **_: Any) -> dict[str, Any]:
    """Describe this worker: its processes with CPU and memory, what each runs, and what it holds."""
    consumer = state.consumer
    main_pid = os.getpid()
    pids = [main_pid, *_child_pids(consumer)]
    samples = _processes.sample(pids)
    running = {request.worker_pid or main_pid: request for request in list(worker_state.active_requests)}
    known_cpu = [sample.cpu_percent for sample in samples.values() if sample.cpu_percent is not None]
    return {
        "time": time.time(),
        "pid": main_pid,
        "started_at": samples[main_pid].started_at if main_pid in samples else None,
        "pool": type(consumer.pool).__module__.rpartition(".")[2] if consumer.pool else None,
        "concurrency": consumer.pool.num_processes if consumer.pool else None,
        "prefetch": consumer.qos.value if consumer.qos else None,
        "queues": sorted(queue.name for queue in consumer.task_consumer.queues) if consumer.task_consumer else [],
        "active": len(worker_state.active_requests),
        "reserved": len(worker_state.reserved_requests) - len(worker_state.active_requests) + _rate_limited(consumer),
        "scheduled": len(worker_state.scheduled_requests),
        "processed": worker_state.all_total_count[0],
        "cpu_percent": sum(known_cpu) if known_cpu else None,
        "rss_bytes": sum(sample.rss_bytes for sample in samples.values()) or None,
        "children": [_child(pid, samples.get(pid), running.get(pid)) for pid in pids[1:]],
    }


def _rate_limited(consumer: Any) -> int:
    """Count what waits in this worker because of its rate limit: Celery counts it nowhere."""
    return sum(len(bucket.contents) for bucket in list(consumer.task_buckets.values()) if bucket is not None)


def _child(pid: int, sample: _Sample | None, request: Any) -> dict[str, Any]:
    return {
        "pid": pid,
        "cpu_percent": sample.cpu_percent if sample else None,
        "rss_bytes": sample.rss_bytes if sample else None,
        "run_id": request.id if request else None,
        "task": request.name if request else None,
        "ran_s": time.time() - request.time_start if request and request.time_start else None,
    }


def _child_pids(consumer: Any) -> list[int]:
    # Only the prefork pool has processes; the others run in the main one.
    return list(consumer.pool.info.get("processes", ())) if consumer.pool else []
