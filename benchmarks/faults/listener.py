"""A recorder as Celery's documentation has it: listens to the events that workers send."""

from __future__ import annotations

from typing import Any

from benchmarks.faults.tasks import app, evidence


def main() -> None:
    """Note every run that succeeded, until killed."""

    def on_succeeded(event: dict[str, Any]) -> None:
        evidence().sadd("listened", str(event["uuid"]))

    with app.connection() as connection:
        receiver = app.events.Receiver(connection, handlers={"task-succeeded": on_succeeded})
        receiver.capture(limit=None, timeout=None, wakeup=False)


if __name__ == "__main__":
    main()
