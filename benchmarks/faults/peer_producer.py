"""A producer in the peer's environment: it is told on its standard input what to publish, a line of JSON a run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

MODULE = "benchmarks.faults.peer_producer"


class PeerProducer:
    """Looks like a Celery application to whoever publishes.

    Args:
        python: Interpreter of the peer's environment.
        environment: Of its workers.
        root: Folder of the project.
    """

    def __init__(self, python: Path, environment: dict[str, str], root: Path) -> None:
        command = [str(python), "-m", MODULE]
        self._process = subprocess.Popen(
            command, env=environment, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def send_task(self, name: str, args: tuple[Any, ...], **options: Any) -> None:
        """Publish a run, and wait until it was accepted.

        Raises:
            ConnectionError: The broker did not take it.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([name, args, options]), file=self._process.stdin, flush=True)
        if answer := json.loads(self._process.stdout.readline()):
            raise ConnectionError(answer)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()


def main() -> None:
    """Publish what is asked for; answers an empty text, or the error."""
    from benchmarks.faults.tasks import peer_application

    app = peer_application(os.environ["FAULTS_BROKER"])
    for line in sys.stdin:
        name, args, options = json.loads(line)
        try:
            app.send_task(name, args, **options)
        except Exception as error:  # noqa: BLE001  told to the harness, whatever it is
            print(json.dumps(f"{type(error).__name__}: {error}"), flush=True)
        else:
            print(json.dumps(""), flush=True)


if __name__ == "__main__":
    main()
