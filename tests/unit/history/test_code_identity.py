"""The identity of an application's code: what it says, or a digest of its files."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from celery import Celery

from celery_nexus import install
from celery_nexus.history.capture import code_identity
from celery_nexus.history.capture.code_identity import identify_code

TASKS = (
    "from her_shop import prices\nfrom her_shop.app import app\n@app.task(shared=False)\ndef add():\n    return {}\n"
)


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(code_identity, "_known", {})
    monkeypatch.syspath_prepend(str(tmp_path))


def shop(folder: Path, tasks: str = "1", prices: str = "1") -> str:
    """Write a package with a task and a module beside it, import it anew, and identify its code."""
    package = folder / "her_shop"
    package.mkdir(exist_ok=True)
    (package / "__init__.py").touch()
    (package / "app.py").write_text(
        "from celery import Celery\napp = Celery('shop', broker='memory://', set_as_current=False)\n"
    )
    (package / "prices.py").write_text(f"PRICE = {prices}\n")
    (package / "tasks.py").write_text(TASKS.format(tasks))
    for name in [name for name in sys.modules if name.partition(".")[0] == "her_shop"]:
        del sys.modules[name]
    importlib.invalidate_caches()
    importlib.import_module("her_shop.tasks")
    app: Celery = sys.modules["her_shop.app"].app
    return identify_code(app)


def test_the_same_files_have_the_same_identity(tmp_path: Path) -> None:
    first = shop(tmp_path)
    assert len(first) == 8
    assert shop(tmp_path) == first


def test_another_task_is_another_code(tmp_path: Path) -> None:
    assert shop(tmp_path) != shop(tmp_path, tasks="200")


def test_what_tasks_import_from_their_package_counts(tmp_path: Path) -> None:
    assert shop(tmp_path) != shop(tmp_path, prices="200")


def test_what_an_application_says_comes_first() -> None:
    app = Celery("shop", broker="redis://localhost", set_as_current=False)
    install(app, version="v2.4")
    assert identify_code(app) == "v2.4"


def test_what_changes_while_a_worker_runs_is_no_other_code(tmp_path: Path) -> None:
    first = shop(tmp_path)
    app: Celery = sys.modules["her_shop.app"].app
    (tmp_path / "her_shop" / "tasks.py").write_text("")
    assert identify_code(app) == first
