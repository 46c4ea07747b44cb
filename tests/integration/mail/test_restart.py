"""Scheduled mail, and everything killed in between: broker, worker and beat."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.harness.places import BIN, ROOT
from tests.harness.servers import start_embedded_broker
from tests.harness.stack import environment, run
from tests.harness.waiting import wait_until
from tests.integration.mail.conftest import Mailbox

CELERY = [str(BIN / "celery"), "-A", "config.celery_config"]
PROGRAMS = {
    "worker": [*CELERY, "worker", "-Q", "email_queue", "-n", "mail@restart", "--concurrency", "2", "-l", "WARNING"],
    "beat": [*CELERY, "beat", "-l", "WARNING"],
}
BEAT_TICK_S = 10


class MailStack:
    """A broker with its append-only file, an e-mail worker and beat, in a home of their own."""

    def __init__(self, home: Path, port: int) -> None:
        self.home = home
        self._variables = {"NEXUS_SMTP_URL": f"smtp://127.0.0.1:{port}", "NEXUS_HOME": str(home)}
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        broker = start_embedded_broker(self.home)
        self._processes = [broker.process]
        for name, command in PROGRAMS.items():
            with (self.home / f"{name}.log").open("ab") as log:
                variables = environment(self.home) | self._variables
                self._processes.append(subprocess.Popen(command, cwd=ROOT, env=variables, stdout=log, stderr=log))

    def kill(self) -> None:
        """SIGKILL everything at once, children included."""
        children = [child for process in self._processes for child in psutil.Process(process.pid).children(True)]
        for process in self._processes:
            process.kill()
            process.wait()
        psutil.wait_procs(children, timeout=10)
        self._processes = []

    def call(self, task: str, **arguments: Any) -> Any:
        """Submit a task as an operator does, and return its result."""
        words = ("submit", f"workers.email_tasks.{task}", "--kwargs", json.dumps(arguments), "--wait", "--json")
        done = run(self.home, "nexus-tui", *words, variables=self._variables)
        assert done.code == 0, done.err + done.out
        return done.json["result"]


@pytest.fixture
def stack(tmp_path_factory: pytest.TempPathFactory, mailbox: Mailbox) -> Iterator[MailStack]:
    stack = MailStack(tmp_path_factory.mktemp("m", numbered=True), mailbox.port)
    stack.start()
    yield stack
    stack.kill()


def _in(**time: float) -> str:
    return (datetime.now(UTC) + timedelta(**time)).isoformat()


@pytest.mark.timeout(180)
def test_mail_weeks_ahead_survives_the_death_of_everything_and_is_sent_once(stack: MailStack, mailbox: Mailbox) -> None:
    words = {"to_email": "reader@example.org", "body": "The text", "send_at": _in(weeks=3)}
    kept = stack.call("send_scheduled_email", subject="Kept", **words)
    dropped = stack.call("send_scheduled_email", subject="Dropped", **words)
    stack.call("cancel_scheduled_email", schedule_id=dropped["schedule_id"])

    stack.kill()
    stack.start()

    listed = stack.call("list_scheduled_emails")["scheduled"]
    assert [(mail["schedule_id"], mail["subject"]) for mail in listed] == [(kept["schedule_id"], "Kept")]
    changed = stack.call("change_scheduled_email", schedule_id=kept["schedule_id"], send_at=_in(seconds=1))
    assert changed["state"] == "waiting"
    wait_until(lambda: mailbox.taken, "the mail", timeout_s=4 * BEAT_TICK_S)

    stack.kill()
    stack.start()

    assert stack.call("list_scheduled_emails")["scheduled"] == []
    assert [message["Subject"] for message in mailbox.messages] == ["Kept"]
