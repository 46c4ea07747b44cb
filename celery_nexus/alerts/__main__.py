"""The watch of alerts as a program of its own: the guardian of a stack starts it, and ends it.

::

    python -m celery_nexus.alerts -A APPLICATION
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from types import FrameType

from celery_nexus.alerts.places import find_places
from celery_nexus.alerts.reader import FactsReader
from celery_nexus.alerts.source import describe_application
from celery_nexus.alerts.watch import watch
from celery_nexus.application_import import application_of_arguments
from celery_nexus.errors import SourceError
from celery_nexus.parent import end_with_parent
from celery_nexus.privacy.program_log import begin_log
from celery_nexus.source_factory import open_application

NICE = 10
"""Nobody waits for an alert as a run waits for its child."""

logger = logging.getLogger("alerts")


def main() -> None:
    """Run until SIGTERM, or until the parent ends."""
    begin_log()
    end_with_parent(os.getppid())
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    os.nice(NICE)
    app = application_of_arguments("alerts", "Watch an application, and tell channels what is wrong.", with_tasks=True)
    try:
        sources = open_application(app)
        places = find_places(sources)
        reader = FactsReader(sources, places.home)
        watch(reader.read, places, describe_application(sources), logger.warning, stopping)
    except SourceError as problem:
        sys.exit(f"alerts: {problem}")


if __name__ == "__main__":
    main()
