"""The examples of docs/history.md, run as they are written there."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from celery_nexus.history.archive.archiving import archive_history
from celery_nexus.history.store.runs_view import COLUMNS
from celery_nexus.history.store.store import Store

PAGE = Path(__file__).parents[3] / "docs" / "history.md"
_EXAMPLE = re.compile(r"^```(sh|python)\n((?:(?!```)[^\n]*\n)*)```\n```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Example(NamedTuple):
    """Code of the page, and what it prints."""

    language: str
    code: str
    output: str

    @property
    def command(self) -> list[str]:
        """What runs it."""
        return ["sh", "-ec", self.code] if self.language == "sh" else [sys.executable, "-c", self.code]

    @property
    def lacks(self) -> str:
        """What it needs and this machine has not."""
        if self.code.startswith("sqlite3 ") and shutil.which("sqlite3") is None:
            return "the shell sqlite3"
        missing = [name for name in ("duckdb", "pandas") if f"import {name}" in self.code and find_spec(name) is None]
        return ", ".join(missing)


EXAMPLES = [Example(*found) for found in _EXAMPLE.findall(PAGE.read_text())]


def run_events(number: int, task: str, ran_s: float, error: str = "", **kwargs: Any) -> list[dict[str, Any]]:
    base = {"uuid": f"run-{number}", "hostname": "w@shop"}
    at = time.time() - 3600 + number
    end = {"type": "task-failed", "exception": f"{error}()"} if error else {"type": "task-succeeded", "runtime": ran_s}
    return [
        base | {"type": "task-sent", "timestamp": at, "name": task, "queue": "shop", "args": [], "kwargs": kwargs},
        base | {"type": "task-started", "timestamp": at + 1},
        base | end | {"timestamp": at + 1 + ran_s},
    ]


SHOP = [
    *run_events(1, "shop.charge", 1.5, user_id=42, amount=9.99),
    *run_events(2, "shop.charge", 30.0, "Timeout", user_id=7, amount=20.0),
    *run_events(3, "shop.charge", 1.5, user_id=42, amount=5.0),
    *run_events(4, "shop.charge", 30.0, "Timeout", user_id=7, amount=20.0),
    *run_events(5, "shop.mail", 0.5, to="ann@example.org"),
    *run_events(6, "shop.mail", 0.5, "SMTPError", to="bob@example.org"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder in which the examples run, with a history."""
    folder = tmp_path_factory.mktemp("shop")
    store = Store(folder / "history.db")
    store.write(SHOP)
    yield folder  # as on a machine whose recorder is at work
    store.close()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.code.strip().splitlines()[0][:50])
def test_an_example_prints_what_the_page_says(example: Example, folder: Path) -> None:
    if example.lacks:
        pytest.skip(f"this machine lacks {example.lacks}")
    if example.code.startswith("nexus-tui history archive"):
        shutil.rmtree(folder / "archive", ignore_errors=True)
    elif "archive" in example.code:
        archive_history(folder / "history.db", folder / "archive")
    environment = {**os.environ, "NEXUS_HOME": str(folder)}
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
    environment.pop("NEXUS_REDIS_URL", None)
    done = subprocess.run(
        example.command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stderr == ""
    assert done.stdout == example.output


def test_there_is_an_example_for_each_program_that_the_page_names() -> None:
    code = "\n".join(example.code for example in EXAMPLES)
    programs = ("sqlite3 history.db", "import sqlite3", "import pandas", "import duckdb", "import polars")
    assert [program for program in programs if program not in code] == []


def test_the_page_names_each_column_of_the_view() -> None:
    table = PAGE.read_text().partition("| column | type | is |")[2].partition("\n\n")[0]
    named = [name for line in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", line.split("|")[1])]
    assert sorted(named) == sorted(COLUMNS)


def test_the_page_gives_each_column_the_type_of_its_values(folder: Path) -> None:
    table = PAGE.read_text().partition("| column | type | is |")[2].partition("\n\n")[0]
    types = {
        name: line.split("|")[2].strip()
        for line in table.splitlines()[2:]
        for name in re.findall(r"`(\w+)`", line.split("|")[1])
    }
    store = Store(folder / "history.db")
    found = {
        name: {row[0] for row in store.connection.execute(f"select distinct typeof({name}) from runs")} - {"null"}
        for name in COLUMNS
    }
    store.close()
    assert {name: kinds for name, kinds in found.items() if kinds - {types[name]}} == {}
