"""``nexus-tui init``: what is written, what it is called, and where nothing is written."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from click.testing import CliRunner

from celery_nexus.errors import Refused
from celery_nexus.project import Project, read_project
from celery_nexus.stack.configuration import worker_nodes
from celery_nexus.stack.new_project import create_project, package_name
from nexus_tui.cli import cli


def test_every_part_of_a_project_is_there(tmp_path: Path) -> None:
    written = create_project(tmp_path / "shop")
    assert [str(path) for path in written] == [
        ".gitignore",
        "Makefile",
        "README.md",
        "requirements.txt",
        "shop/__init__.py",
        "shop/celery.py",
        "shop/queues.py",
        "shop/tasks.py",
        "supervisor.conf",
        "tests/test_tasks.py",
    ]
    for path in (tmp_path / "shop").rglob("*.py"):
        ast.parse(path.read_text())


def test_its_configuration_names_its_application_and_a_worker_for_each_queue(tmp_path: Path) -> None:
    create_project(tmp_path / "shop")
    assert read_project(tmp_path / "shop") == Project(tmp_path / "shop", "shop")
    assert worker_nodes((tmp_path / "shop" / "supervisor.conf").read_text()) == {"default": "default"}


@pytest.mark.parametrize(
    ("folder", "package"),
    [
        ("shop", "shop"),
        ("My Shop-2", "my_shop_2"),
        ("2nd", "project_2nd"),
        ("class", "project_class"),
        ("celery", "celery_tasks"),
        ("json", "json_tasks"),
        ("tests", "tests_tasks"),
        ("Ünïcode", "n_code"),
        ("…", "project"),
    ],
)
def test_the_package_has_a_name_that_python_takes_and_no_other_package_has(folder: str, package: str) -> None:
    assert package_name(Path("/somewhere") / folder) == package


@pytest.mark.parametrize("what", ["a folder with a file", "a file"])
def test_what_is_there_is_left_alone(tmp_path: Path, what: str) -> None:
    place = tmp_path / "shop"
    if what == "a file":
        place.write_text("mine")
    else:
        place.mkdir()
        (place / "notes.txt").write_text("mine")
    with pytest.raises(Refused, match=r"shop is (not empty|no folder): name a new folder, nothing was written$"):
        create_project(place)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [
        "shop" if what == "a file" else "notes.txt"
    ]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    said = CliRunner().invoke(cli, ["init", str(tmp_path)])
    assert said.exit_code == 0
    assert said.output.splitlines()[-1] == f"Start it: cd {tmp_path} && nexus-tui up"
