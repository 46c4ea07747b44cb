"""Starts stock workers from one process that has imported Celery once: a line of JSON each, answered by its pid."""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

from celery.apps.worker import Worker
from kombu.transport.redis import Transport

from celery_nexus.parent import end_with_parent
from tests.integration.foreign import shop

IMPORTED = Worker, Transport
"""What takes each worker most of its start."""


def main() -> None:
    """Fork a worker for each line; end when there is no more."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # whoever ended is gone
    for line in sys.stdin:
        nursery, pid = os.getpid(), os.fork()
        if pid == 0:
            end_with_parent(nursery)
            work(json.loads(line))
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


def work(told: dict[str, Any]) -> None:
    """Be a worker, as ``celery worker`` is."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    log = os.open(told["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, file in ((0, nothing), (1, log), (2, log)):
        os.dup2(file, number)
    os.environ["SHOP_LOG"] = told["ran"]
    os.environ["C_FORCE_ROOT"] = "true"  # tests of pickle may run as root
    try:
        shop.make(told["broker"], told["conf"]).worker_main(told["arguments"])
    finally:
        os._exit(0)


if __name__ == "__main__":
    main()
