"""A stranger's Celery application: stock in everything."""

from __future__ import annotations

import os
import time

from celery import Celery


def nap(seconds: float) -> None:
    """Take some time."""
    time.sleep(seconds)


def make(broker: str) -> Celery:
    """Make the application on a broker."""
    app = Celery("stranger", broker=broker, set_as_current=False)
    app.task(name="stranger.nap")(nap)
    return app


app = make(os.environ["STRANGERS_BROKER"]) if "STRANGERS_BROKER" in os.environ else None
