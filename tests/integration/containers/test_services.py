"""Each service of compose.yaml as it stands there: its command, its environment, its health check, its end.

What containers would give them is put in their place: the name ``redis`` and its port are those of a free one here, the
volume is a folder.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import docx
import pytest

from config.queues import QUEUES
from tests.harness.containers import read_services
from tests.harness.places import BIN, ROOT
from tests.harness.ports import free_port
from tests.harness.programs import program
from tests.harness.waiting import wait_until

T = TypeVar("T")

CHECK_TIMEOUT_S = 15.0
"""More than Docker gives a check: here eight start at once."""

ASK_EACH = """
import json
from config.celery_config import celery_app
from config.queues import QUEUES
task = "workers.maintenance_tasks.health_check"
sent = {spec.family: celery_app.send_task(task, queue=spec.name) for spec in QUEUES}
for result in sent.values():
    result.get(timeout=40)
print(json.dumps({family: result.id for family, result in sent.items()}))
"""
"""Sends a task to each queue, and waits until all have ended well."""

VARIABLES = {"REDIS_PASSWORD": "0123456789abcdef"}


class Compose:
    """``docker compose``, as far as these tests need it.

    Args:
        folder: Stands for the volumes, and for what is installed in the images.
    """

    def __init__(self, folder: Path) -> None:
        self.services = read_services(VARIABLES)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._folder = folder
        self._port = free_port()
        self._path = folder / "bin"
        self._path.mkdir()
        for name in ("data", "home", "log"):
            (folder / name).mkdir()
        server, client = program("redis-server", "redis-server"), program("redis-cli", "redis-tools")
        self._install("redis-server", f'{server} "$@" --port {self._port} --bind 127.0.0.1 --dir {folder}/data')
        self._install("redis-cli", f'{client} -p {self._port} "$@"')

    def _install(self, name: str, command: str) -> None:
        path = self._path / name
        path.write_text(f"#!/bin/sh\nexec {command}\n")
        path.chmod(0o755)

    def environment(self, name: str) -> dict[str, str]:
        """What a service's processes find in their environment."""
        here = {"redis:6379": f"127.0.0.1:{self._port}", "/var/lib/nexus": str(self._folder / "volume")}
        given = dict(self.services[name].environment)
        for there, place in here.items():
            given = {key: value.replace(there, place) for key, value in given.items()}
        path = f"{self._path}:{BIN}:/usr/bin:/bin"
        return {"PATH": path, "LC_ALL": "C.UTF-8", "HOME": str(self._folder / "home"), **given}

    def start(self, name: str) -> None:
        """Start a service."""
        with (self._folder / "log" / name).open("ab") as log:
            self.processes[name] = subprocess.Popen(
                self.services[name].command, env=self.environment(name), cwd=ROOT, stdout=log, stderr=log
            )

    def check(self, name: str) -> int:
        """Run a service's health check; return its exit code."""
        try:
            return self.run(name, *self.services[name].check, timeout_s=CHECK_TIMEOUT_S).returncode
        except subprocess.TimeoutExpired:
            return 1  # as Docker takes it

    def run(self, name: str, *command: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a command as ``docker compose exec`` does."""
        return subprocess.run(
            command,
            env=self.environment(name),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def up(self) -> None:
        """Start what does not run, Redis first, as Docker does when a program ends; wait until all is well."""
        ended = [
            name for name in self.services if name not in self.processes or self.processes[name].poll() is not None
        ]
        for name in sorted(ended, key=lambda name: name != "redis"):
            self.start(name)
            if name == "redis":
                self.until(name, 0)
        each(ended, lambda name: self.until(name, 0))

    def until(self, name: str, code: int) -> None:
        """Wait until a check ends so."""
        wait_until(
            lambda: self.check(name) == code, f"{name}'s check does not end with {code}:\n{self.log(name)}", 90, 0.2
        )

    def log(self, name: str) -> str:
        """The end of what a service said."""
        return (self._folder / "log" / name).read_text(errors="replace")[-3000:]

    def stop(self, name: str) -> int:
        """Send SIGTERM, and wait as long as Docker would before it kills; return the exit code.

        Raises:
            subprocess.TimeoutExpired: It needs longer.
        """
        self.processes[name].terminate()
        return self.processes[name].wait(self.services[name].stop_grace_s)


def each(names: Iterable[str], job: Callable[[str], T]) -> dict[str, T]:
    """Do something with every service at once."""
    with ThreadPoolExecutor(10) as pool:
        return dict(zip(names, pool.map(job, names), strict=True))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    made = Compose(tmp_path_factory.mktemp("compose"))
    yield made
    for process in made.processes.values():
        process.send_signal(signal.SIGCONT)
        process.terminate()
    for process in made.processes.values():
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture
def compose(engine: Compose) -> Compose:
    """Every service, and all of them well."""
    engine.up()
    return engine


def test_no_check_is_content_before_anything_runs(engine: Compose) -> None:
    codes = each(engine.services, engine.check)
    assert [name for name, code in codes.items() if code == 0] == []


def test_a_task_goes_through_each_worker_and_into_the_history(compose: Compose) -> None:
    sent = compose.run("recorder", "python", "-c", ASK_EACH)
    assert sent.returncode == 0, sent.stderr
    ids: dict[str, str] = json.loads(sent.stdout)

    def workers() -> dict[str, str | None]:
        said = compose.run("recorder", "nexus-tui", "tasks", "health_check", "--limit", "50", "--json").stdout
        seen = {run["id"]: run["worker"] for run in json.loads(said)} if said else {}
        return {family: seen.get(run_id) for family, run_id in ids.items()}

    right = {spec.family: f"{spec.family}@{socket.gethostname()}" for spec in QUEUES}
    wait_until(lambda: workers() == right, f"the history does not know who ran what: {workers()}")


def test_the_dashboards_commands_find_a_stack_without_supervisor_well(compose: Compose) -> None:
    said = compose.run("recorder", "nexus-tui", "status")
    assert said.returncode == 0, said.stdout + said.stderr
    assert "supervisor" not in said.stdout.lower()


def test_a_document_is_read_and_a_mail_is_written_in_the_volume(compose: Compose) -> None:
    home = Path(compose.environment("files")["NEXUS_HOME"])
    document = docx.Document()
    document.add_paragraph("The quick brown fox")
    document.save(str(home / "uploads" / "a.docx"))
    mail = {"to_email": "ada@example.org", "subject": "s", "body": "b"}
    for task, arguments in (("process_word_document", {"file_path": "a.docx"}), ("send_email", mail)):
        said = compose.run(
            "recorder", "nexus-tui", "submit", task, "--kwargs", json.dumps(arguments), "--wait", "--json"
        )
        assert said.returncode == 0, said.stdout + said.stderr
    assert list((home / "outbox").glob("*.eml"))


def test_a_service_that_hangs_is_not_well_and_is_again_when_it_goes_on(compose: Compose) -> None:
    ours = [name for name in compose.services if name != "redis"]
    for name in ours:
        compose.processes[name].send_signal(signal.SIGSTOP)
    each(ours, lambda name: wait_until(lambda: compose.check(name) != 0, f"{name} hangs and is called well"))
    compose.processes["redis"].send_signal(signal.SIGSTOP)
    assert compose.check("redis") != 0
    for process in compose.processes.values():
        process.send_signal(signal.SIGCONT)
    wait_until(
        lambda: compose.processes["beat"].poll() is not None or compose.check("beat") == 0, "beat hangs for ever"
    )
    compose.up()  # a beat that has lost the schedule's lock ends, and Docker starts it anew
    each(compose.services, lambda name: compose.until(name, 0))


def test_sigterm_ends_each_cleanly_within_its_grace_and_redis_keeps_what_it_has(compose: Compose) -> None:
    ours = [name for name in compose.services if name != "redis"]
    codes = each(ours, compose.stop)
    assert codes == dict.fromkeys(ours, 0)
    command = "redis-cli --no-auth-warning -a $REDIS_PASSWORD set kept yes"
    assert compose.run("redis", "sh", "-c", command).stdout == "OK\n"
    assert compose.stop("redis") == 0
    compose.start("redis")
    compose.until("redis", 0)
    assert compose.run("redis", "sh", "-c", command.replace("set kept yes", "get kept")).stdout == "yes\n"
