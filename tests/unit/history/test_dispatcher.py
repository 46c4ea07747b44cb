"""A worker's way into the event stream while its connection to the broker is made anew."""

from __future__ import annotations

from typing import Any

from celery import Celery

from celery_nexus.history.capture.dispatcher import StreamDispatcher, StreamEvents


class Writer:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.types: list[str] = []

    def add(self, event: dict[str, Any]) -> None:
        self.types.append(event["type"])

    def note_worker(self, *_: Any) -> None: ...

    def flush(self) -> None: ...


def test_a_run_that_ends_in_a_thread_after_the_connection_was_lost_still_reaches_the_stream() -> None:
    app = Celery("t", broker="memory://", events=StreamEvents, set_as_current=False)
    writer = Writer()
    app.events.__dict__["writer"] = writer
    with app.connection() as connection:
        dispatcher = StreamDispatcher(connection, app=app, hostname="w@h", enabled=False)
        dispatcher.send("task-started", uuid="1")
        dispatcher.disable()
        assert dispatcher.enabled
        dispatcher.send("task-succeeded", uuid="1", result="1", runtime=0.1)
        dispatcher.send("worker-offline")
    assert writer.types == ["task-started", "task-succeeded"]
