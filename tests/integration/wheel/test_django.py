"""The built wheel in a Django site outside the checkout: installed in one line, looked at, killed in the middle."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.wheel.site_files import FILES, PUBLISH, SETTINGS
from tests.programs import program
from tests.stack import until
from tests.terminal import Screen
from tests.wheels import Environment, make_environment, requirements_of

DJANGO = ("django~=5.2", "django-celery-results~=2.6")
WORKER = ("celery", "-A", "proj", "worker", "-c", "2", "-l", "INFO", "--without-gossip", "--without-mingle")


ORDERS = {str(number) for number in range(200)}


class Site:
    """A Django site in an environment that knows nothing of the checkout, on a Redis of its own."""

    def __init__(self, environment: Environment, folder: Path, socket: Path) -> None:
        self.environment = environment
        self.folder = folder
        self.variables = {
            "PATH": f"{environment.folder / 'bin'}:/usr/bin:/bin",
            "LC_ALL": "C.UTF-8",
            "HOME": str(folder / "home"),
            "SHOP_BROKER": f"redis+socket://{socket}?virtual_host=0",
            "SHOP_RESULTS": "django-db",
        }
        self.processes: list[subprocess.Popen[bytes]] = []

    def make(self) -> None:
        """Make the site as Django's tutorial does, then write what its owner writes."""
        (self.folder / "home").mkdir(parents=True)
        self.done("django-admin", "startproject", "proj", ".")
        self.done("python", "manage.py", "startapp", "shop")
        for name, text in FILES.items():
            (self.folder / name).parent.mkdir(exist_ok=True)
            (self.folder / name).write_text(text)
        with (self.folder / "proj/settings.py").open("a") as file:
            file.write(SETTINGS)
        self.done("python", "manage.py", "migrate", "-v0")

    def run(self, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment in the site's folder."""
        return self.environment.run(*command, folder=self.folder, timeout_s=60, **{**self.variables, **more})

    def done(self, *command: str, **more: str) -> str:
        """Run a program to its good end, and return what it prints."""
        said = self.run(*command, **more)
        assert said.returncode == 0, f"{command}: {said.stdout[-1000:]}{said.stderr[-3000:]}"
        return said.stdout

    def start(self, *command: str, log: str, **more: str) -> subprocess.Popen[bytes]:
        """Start a program in a process group of its own."""
        with (self.folder / log).open("ab") as file:
            process = subprocess.Popen(
                [str(self.environment.folder / "bin" / command[0]), *command[1:]],
                cwd=self.folder,
                env={**self.variables, "TERM": "dumb", **more},
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def worker(self, name: str, **more: str) -> subprocess.Popen[bytes]:
        """Start a worker, and wait until it is ready."""
        log = f"{name}.log"
        before = self.log(log).count(" ready.")
        process = self.start(*WORKER, "-n", f"{name}@site", log=log, **more)
        until(lambda: self.log(log).count(" ready.") > before or process.poll() is not None, 60)
        assert process.poll() is None, self.log(log)[-3000:]
        return process

    def log(self, name: str) -> str:
        """Read a program's log."""
        file = self.folder / name
        return file.read_text(errors="replace") if file.exists() else ""

    def charged(self) -> Counter[str]:
        """How often each order was charged."""
        file = self.folder / "charged"
        return Counter(file.read_text().split()) if file.exists() else Counter()

    def stop(self) -> None:
        """End what still runs."""
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(20)


@pytest.fixture(scope="module")
def redis_socket() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="nexus-d-"))
    socket = folder / "redis.sock"
    command = [program("redis-server", "redis-server"), "--port", "0", "--unixsocket", str(socket), "--save", ""]
    server = subprocess.Popen([*command, "--dir", str(folder)], stdout=subprocess.DEVNULL)
    until(socket.exists)
    yield socket
    server.kill()
    server.wait(20)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def site(wheel: Path, redis_socket: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The site, its recorder, and its worker, which was killed in the middle of 200 tasks and started again."""
    python = Path(sys.executable).resolve()
    requirements = (*requirements_of(wheel, "celery"), *DJANGO)
    environment = make_environment(python, "wheel-django", requirements, own=(str(wheel),))
    site = Site(environment, tmp_path_factory.mktemp("site"), redis_socket)
    try:
        site.make()
        site.start("python", "-m", "celery_nexus.history.recorder", "-A", "proj", log="recorder.log")
        worker = site.worker("one")
        site.done("python", "manage.py", "shell", "-v0", "-c", PUBLISH)
        until(lambda: len(site.charged()) >= 50)
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait(20)
        assert len(site.charged()) < 200, "it was not killed in the middle"
        site.worker("one")
        yield site
    finally:
        site.stop()


def test_of_200_tasks_none_is_lost_by_a_killed_worker(site: Site) -> None:
    until(lambda: site.charged().keys() >= ORDERS, 60)
    again = [order for order, count in site.charged().items() if count > 1]
    assert len(again) <= 2, "more than what ran in two children ran again"


def test_the_dashboards_commands_show_the_queue_the_worker_and_the_runs(site: Site) -> None:
    until(lambda: _succeeded(site) >= ORDERS, 60)
    assert "celery " in site.done("nexus-tui", "-A", "proj", "queues")
    assert " healthy " in site.done("nexus-tui", "-A", "proj", "workers")


def _succeeded(site: Site) -> set[str]:
    rows = json.loads(site.done("nexus-tui", "-A", "proj", "tasks", "state:success", "--limit", "500", "--json"))
    return {str(row["args"][0]) for row in rows if row["args"]}


def test_a_task_is_submitted_by_its_signature_and_its_result_comes_from_djangos_database(site: Site) -> None:
    told = site.done("nexus-tui", "-A", "proj", "submit", "--list", "charge")
    assert "shop.tasks.charge → celery\nCharge an order." in told
    submitted = ("nexus-tui", "-A", "proj", "submit", "charge", "--kwargs")
    said = json.loads(site.done(*submitted, '{"number": 5000}', "--wait", "--timeout", "30", "--json"))
    assert (said["task"], said["state"], said["result"]) == ("shop.tasks.charge", "SUCCESS", 1000)
    wrong = site.run(*submitted, '{"order": 1}')
    assert (wrong.returncode, "it takes (number, seconds=0.0)" in wrong.stderr) == (2, True)


def test_celerys_own_command_opens_the_dashboard(site: Site) -> None:
    celery = str(site.environment.folder / "bin" / "celery")
    with Screen([celery, "-A", "proj", "nexus"], site.variables, folder=site.folder) as screen:
        screen.shows(r"1/1 workers", r"\bcelery\b")
        screen.type("3")
        screen.shows(r"shop\.tasks\.charge")
        screen.type("q")
        assert screen.ended() == 0


def test_an_application_that_keeps_no_results_is_said_to_and_not_waited_for(site: Site) -> None:
    none = {"SHOP_RESULTS": "disabled://"}
    said = site.run("nexus-tui", "-A", "proj", "submit", "charge", "--args", "[1]", "--wait", **none)
    assert said.returncode == 1
    assert said.stderr.endswith(
        " was queued; its end can't be waited for: the application keeps no results (result_backend)\n"
    )


def test_a_result_that_workers_send_back_to_who_submitted_is_waited_for(site: Site) -> None:
    sent_back = {"SHOP_RESULTS": "rpc://", "SHOP_QUEUE": "sent_back"}
    site.worker("sent_back", **sent_back)
    said = site.done("nexus-tui", "-A", "proj", "submit", "charge", "--args", "[7]", "--wait", "--json", **sent_back)
    assert json.loads(said)["result"] == 7
