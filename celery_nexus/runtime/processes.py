"""Start-up of a worker's processes in applications with the library."""

from __future__ import annotations

import gc
import os
from typing import Any

from billiard.process import current_process
from celery.signals import beat_init, worker_init, worker_process_init

from celery_nexus.installation import current_application, installation_of
from celery_nexus.parent import end_with_supervisor, end_with_worker


@worker_init.connect
@beat_init.connect
def _begin(sender: Any = None, **_: Any) -> None:
    if installation_of(sender.app) is not None:
        end_with_supervisor()


@worker_init.connect
def _share_with_children(sender: Any = None, **_: Any) -> None:
    # Everything is imported by now. Children share these pages as long as no collection touches them: replacing a
    # child, which Celery begins with a collection, takes a third of the time.
    if installation_of(sender.app) is not None:
        gc.collect()
        gc.freeze()


@worker_process_init.connect
def _begin_child(**_: Any) -> None:
    process: Any = current_process()
    if not process.daemon or installation_of(current_application()) is None:
        return  # a solo pool: this is the worker
    end_with_worker(process._parent_pid or os.getppid())
