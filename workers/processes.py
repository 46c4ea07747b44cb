"""What every process of a worker does when it starts."""

from __future__ import annotations

from typing import Any

from celery.signals import beat_init, worker_init, worker_process_init

from workers.parent import end_with_supervisor, end_with_worker


@worker_init.connect
@beat_init.connect
def _started(**_: Any) -> None:
    end_with_supervisor()


@worker_process_init.connect
def _child_started(**_: Any) -> None:
    end_with_worker()
