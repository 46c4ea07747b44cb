"""What every process of a worker does when it starts."""

from __future__ import annotations

import gc
import os
from typing import Any

from billiard.process import current_process
from celery.signals import beat_init, worker_init, worker_process_init

from celery_nexus.parent import end_with_supervisor, end_with_worker


@worker_init.connect
@beat_init.connect
def _started(**_: Any) -> None:
    end_with_supervisor()


@worker_init.connect
def _share_with_children(**_: Any) -> None:
    # Everything is imported by now. Children share these pages as long as no collection touches them: replacing a
    # child, which Celery begins with a collection, takes a third of the time.
    gc.collect()
    gc.freeze()


@worker_process_init.connect
def _child_started(**_: Any) -> None:
    process: Any = current_process()
    if not process.daemon:
        return  # a solo pool: this is the worker
    end_with_worker(process._parent_pid or os.getppid())
