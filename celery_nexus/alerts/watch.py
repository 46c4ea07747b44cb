"""Watch of one application: looks, again and again or once, and tells its channels."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from celery_nexus.alerts.book import BookFile
from celery_nexus.alerts.evaluation import Alert
from celery_nexus.alerts.facts import Facts
from celery_nexus.alerts.places import Places
from celery_nexus.alerts.rules_file import RuleSet
from celery_nexus.alerts.silences import Silences
from celery_nexus.alerts.watcher import LOOK_EVERY_S, RulesReader, Say, Watcher

DELIVER_EVERY_S = 1.0
FINISH_S = 5.0
"""Time for channels that are being told when the watch ends."""

ONCE_S = 65.0
"""The same of a single look: longer than any channel may take."""


def watch(
    read: Callable[[RuleSet], Facts], places: Places, application: str, say: Say, stopping: threading.Event
) -> None:
    """Watch until told otherwise.

    Args:
        read: Reads the facts that rules need.
        places: Files of the application.
        application: What messages call it.
        say: Takes a line for each event.
        stopping: Ends it.

    Raises:
        Refused: Somebody else watches it.
        SourceError: What is remembered can't be read.
    """
    book = BookFile(places.book)
    with book.hold(places.rules):
        watcher = _make(read, places, book, application, say)
        while not stopping.is_set():
            watcher.look()
            until = time.monotonic() + LOOK_EVERY_S
            while time.monotonic() < until and not stopping.is_set():
                watcher.wait(DELIVER_EVERY_S)
                watcher.deliver()
        watcher.finish(FINISH_S)


def look_once(read: Callable[[RuleSet], Facts], places: Places, application: str, say: Say) -> tuple[Alert, ...]:
    """Look once, tell the channels, and return what is raised; arguments and errors as of :func:`watch`."""
    book = BookFile(places.book)
    with book.hold(places.rules):
        watcher = _make(read, places, book, application, say)
        watcher.look()
        watcher.finish(ONCE_S)
        return tuple(alert for alert in watcher.alerts if alert.state == "raised")


def _make(read: Callable[[RuleSet], Facts], places: Places, book: BookFile, application: str, say: Say) -> Watcher:
    rules, silences = RulesReader(places.rules), Silences(places.silences)
    return Watcher(read, rules, book, silences, application=application, say=say)
