"""Memory of stock workers whose processes are on this host: they don't tell it themselves."""

from __future__ import annotations

from dataclasses import replace

import psutil

from celery_nexus.rows.workers import Worker


def measure_local(worker: Worker) -> Worker:
    """Complete a worker and its running children by their memory, where they are processes of this host.

    A process of another host may have the same number: it counts only when all children that the worker names are its
    children here, too.
    """
    children = {child.pid for child in worker.children}
    if worker.pid is None or not children or worker.pid in children:
        return worker
    try:
        process = psutil.Process(worker.pid)
        here = {child.pid: child for child in process.children()}
        if not children <= here.keys():
            return worker
        used = {pid: child.memory_info().rss for pid, child in here.items()}
        measured = tuple(replace(child, rss_bytes=used[child.pid]) for child in worker.children)
        return replace(worker, children=measured, rss_bytes=process.memory_info().rss + sum(used.values()))
    except psutil.Error:  # it ended meanwhile, or is somebody else's
        return worker
