"""The built wheel in an empty environment, outside the checkout: what it brings, and watching a broker with it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest
from celery import Celery

from tests.harness.ports import free_port
from tests.harness.programs import program
from tests.harness.servers import run_server
from tests.harness.wheels import Environment, interpreters, make_environment, requirements_of

MINORS = (11, 12, 13, 14)
WHY_NOT_14 = "no Python 3.14 on this machine; the wheels of all that the core needs exist for it"


@pytest.fixture(scope="session", params=MINORS, ids=lambda minor: f"python3.{minor}")
def environment(request: pytest.FixtureRequest, wheel: Path) -> Environment:
    minor: int = request.param
    python = next(interpreters(minor), None)
    if python is None:
        pytest.skip(WHY_NOT_14 if minor == 14 else f"no Python 3.{minor} with venv on this machine")
    return make_environment(python, f"wheel-3.{minor}", requirements_of(wheel), own=(str(wheel),))


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis on which a stock application has sent three messages."""
    port = free_port()
    url = f"redis://127.0.0.1:{port}/0"
    shop = Celery("shop", broker=url, set_as_current=False)
    with run_server(program=program("redis-server", "redis-server"), port=port):
        for number in (99, 0, 1):
            shop.send_task("shop.charge", (number,), queue="shop")
        yield url
        shop.close()


def test_the_wheel_has_the_library_and_the_dashboard_and_nothing_else(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = archive.namelist()
        scripts = archive.read(next(name for name in names if name.endswith("entry_points.txt"))).decode()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"celery_nexus", "nexus_tui"}
    assert "celery_nexus/stack/templates/Makefile.txt" in names
    console = scripts.partition("[console_scripts]")[2].partition("[")[0]
    assert console.split() == ["nexus-tui", "=", "nexus_tui.__main__:main"]


def test_to_watch_a_broker_it_needs_few_and_small_packages(environment: Environment) -> None:
    assert len(environment.names()) <= 25, environment.names()
    assert environment.megabytes() <= 60


def test_from_any_folder_it_shows_the_queues_of_a_stock_application(
    environment: Environment, broker: str, tmp_path: Path
) -> None:
    said = environment.run("nexus-tui", "-b", broker, "queues", folder=tmp_path, HOME=str(tmp_path))
    assert (said.returncode, said.stderr) == (0, "")
    assert [line.split()[:2] for line in said.stdout.splitlines() if line.startswith("shop ")] == [["shop", "3"]]


def test_what_it_keeps_is_in_the_users_folders_and_not_beside_its_code(
    environment: Environment, broker: str, tmp_path: Path
) -> None:
    before = {path for path in environment.packages.rglob("*") if path.suffix != ".pyc" and path.name != "__pycache__"}
    done = environment.run("nexus-tui", "-b", broker, "status", folder=tmp_path, HOME=str(tmp_path))
    assert (done.returncode, done.stderr) == (1, ""), "messages wait and no worker is there"
    after = {path for path in environment.packages.rglob("*") if path.suffix != ".pyc" and path.name != "__pycache__"}
    assert after == before
    assert {path.name for path in tmp_path.iterdir()} <= {".local", ".config", ".cache"}


def test_a_project_without_its_libraries_is_one_sentence_with_what_to_install(
    environment: Environment, tmp_path: Path
) -> None:
    said = environment.run("nexus-tui", "up", folder=tmp_path, HOME=str(tmp_path))
    assert said.returncode == 1
    assert said.stderr == "nexus-tui: a stack needs celery: pip install 'celery-nexus[celery]'\n"


def test_the_interpreter_of_the_tests_is_one_of_those_that_are_tried() -> None:
    assert sys.version_info[1] in MINORS
