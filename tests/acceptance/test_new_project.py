"""``nexus-tui init`` to the letter: a project is made, started, runs its task, passes its test, and is stopped."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.commands import CommandResult, run_program
from tests.harness.waiting import wait_until


class Started:
    """A project that is running."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *command: str, timeout_s: float = 90) -> CommandResult:
        """Run a program in the project's folder, as its user does: nothing in the environment speaks of a stack."""
        names = ("PYTHONPATH", "NEXUS_HOME", "NEXUS_REDIS_URL", "CELERY_BROKER_URL")
        environment = {name: value for name, value in os.environ.items() if name not in names}
        environment["LC_ALL"] = "C.UTF-8"
        return run_program(*command, environment=environment, folder=self.folder, timeout_s=timeout_s)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    parent = tmp_path_factory.mktemp("projects")
    assert Started(parent).run("nexus-tui", "init", "shop").code == 0
    project = Started(parent / "shop")
    started = project.run("nexus-tui", "up", "--detach", timeout_s=200)
    try:
        assert started.code == 0, started.err
        yield project
    finally:
        stopped = project.run("nexus-tui", "down", timeout_s=120)
    assert stopped.code == 0, stopped.err


def test_its_task_runs_with_arguments_that_its_signature_checks(project: Started) -> None:
    words = ("nexus-tui", "submit", "count_words", "--wait", "--json", "--kwargs")
    done = project.run(*words, '{"text": "one two three"}')
    assert (done.code, done.json["state"], done.json["result"]) == (0, "SUCCESS", 3), done.err
    refused = project.run(*words, '{"txt": "one"}')
    assert (refused.code, "text" in refused.err) == (2, True), refused.err


def test_its_queue_its_worker_and_its_programs_are_shown_as_its_own(project: Started) -> None:
    queues = project.run("nexus-tui", "queues", "--json")
    assert [row["name"] for row in queues.json] == ["default"], queues.err
    programs = project.run("nexus-tui", "programs", "--json")
    names = ["broker", "guardian", "recorder", "workers:default"]
    assert [row["name"] for row in programs.json] == names, programs.err
    workers = project.run("nexus-tui", "workers", "--json")
    assert [row["name"] for row in workers.json] == [f"default@{socket.gethostname()}"], workers.err


def test_its_runs_are_in_its_history(project: Started) -> None:
    words = ("nexus-tui", "submit", "count_words", "--wait", "--json", "--kwargs", '{"text": "one"}')
    run_id = project.run(*words).json["id"]
    wait_until(lambda: run_id in project.run("nexus-tui", "tasks", "--json").out)
    assert (project.folder / "var" / "history.db").is_file()


def test_celery_itself_and_the_projects_own_test_work_in_its_folder(project: Started) -> None:
    asked = project.run("celery", "-A", "shop", "inspect", "ping")
    assert (asked.code, "1 node online" in asked.out) == (0, True), asked.err
    tested = project.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert tested.code == 0, tested.out


def test_its_configuration_is_what_its_makefile_writes(project: Started) -> None:
    written = project.run("python", "-m", "celery_nexus.stack", "-A", "shop")
    assert written.out == (project.folder / "supervisor.conf").read_text()
