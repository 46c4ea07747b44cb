"""Importing an application as ``celery -A`` does, and what is said when it can't be."""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from celery_nexus import application_import
from celery_nexus.application_import import import_application
from celery_nexus.errors import Invalid

APP = "from celery import Celery\n{name} = Celery('shop', set_as_current=False)\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory of a project, forgotten afterwards."""
    before = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ({"stall.py": APP.format(name="app")}, "stall"),
        ({"stall.py": APP.format(name="celery")}, "stall"),
        ({"stall.py": APP.format(name="anything")}, "stall"),
        ({"stall.py": APP.format(name="anything")}, "stall:anything"),
        ({"stall.py": APP.format(name="anything")}, "stall.anything"),
        ({"stall/__init__.py": "", "stall/celery.py": APP.format(name="app")}, "stall"),
        ({"stall/__init__.py": "", "stall/celery.py": APP.format(name="app")}, "stall.celery:app"),
        ({"stall.py": f"{APP.format(name='one')}{APP.format(name='app')}"}, "stall"),
        ({"stall.py": f"{APP.format(name='one')}{APP.format(name='two')}"}, "stall:two"),
    ],
)
def test_each_spelling_of_celery_finds_the_application_in_the_working_directory(
    folder: Path, files: dict[str, str], name: str
) -> None:
    write(folder, files)
    assert import_application(name).main == "shop"


@pytest.mark.parametrize(
    ("files", "name", "said"),
    [
        ({}, "gone", "-A gone: there is no module 'gone' in {folder} or where Python looks"),
        ({}, "gone.celery:app", "-A gone.celery:app: there is no module 'gone' in {folder} or where Python looks"),
        (
            {"stall.py": "\nimport not_there\n"},
            "stall",
            "-A stall: can't be imported: ModuleNotFoundError: No module named 'not_there' ({folder}/stall.py, line 2)",
        ),
        (
            {"stall.py": "import inner", "inner.py": "\n\n1 / 0\n"},
            "stall:app",
            "-A stall:app: can't be imported: ZeroDivisionError: division by zero ({folder}/inner.py, line 3)",
        ),
        (
            {"stall.py": "x = (\n"},
            "stall",
            "-A stall: can't be imported: SyntaxError: '(' was never closed ({folder}/stall.py, line 1)",
        ),
        (
            {"stall.py": "import sys\nsys.exit('no settings')\n"},
            "stall",
            "-A stall: can't be imported: SystemExit: no settings ({folder}/stall.py, line 2)",
        ),
        (
            {"stall.py": f"{APP.format(name='one')}{APP.format(name='two')}"},
            "stall",
            "-A stall: there are 2 applications; name one: -A stall:one, -A stall:two",
        ),
        ({"stall.py": "x = 1\n"}, "stall", "-A stall: there is no application; name it: -A MODULE:ATTRIBUTE"),
        (
            {"stall.py": APP.format(name="q")},
            "stall:app",
            "-A stall:app: there is no 'app' in stall; there is -A stall:q",
        ),
        (
            {"stall.py": f"app = {{}}\n{APP.format(name='q')}"},
            "stall",
            "-A stall is of type builtins.dict, not a Celery application; there is -A stall:q",
        ),
        ({}, " ", "-A names no application: give MODULE or MODULE:ATTRIBUTE, as celery -A takes it"),
        (
            {"stall.py": "from celery import Celery\napp = Celery('a', include=['no_tasks'], set_as_current=False)\n"},
            "stall",
            "-A stall: can't be imported: ModuleNotFoundError: No module named 'no_tasks'",
        ),
        (
            {"stall.py": "raise RuntimeError('redis://:hunter2@host/0 is down')\n"},
            "stall",
            "-A stall: can't be imported: RuntimeError: redis://:***@host/0 is down ({folder}/stall.py, line 1)",
        ),
    ],
)
def test_what_can_not_be_opened_is_said_in_one_line_with_its_place(
    folder: Path, files: dict[str, str], name: str, said: str
) -> None:
    write(folder, files)
    with pytest.raises(Invalid) as caught:
        import_application(name)
    assert str(caught.value) == said.format(folder=folder)


PRINTS = """import os, subprocess
print('by Python')
os.write(1, b'by a library')
subprocess.run(['echo', 'by a program'])
"""


def test_what_an_application_prints_does_not_get_into_the_output(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write(folder, {"stall.py": PRINTS + APP.format(name="app")})
    import_application("stall")
    print("an answer")
    printed = capfd.readouterr()
    assert printed.out == "an answer\n"
    assert sorted(re.findall("by (?:Python|a library|a program)", printed.err)) == [
        "by Python", "by a library", "by a program"
    ]  # fmt: skip


def test_what_is_imported_beside_a_dashboard_leaves_its_terminal_alone(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    draws = "import os\nos.write(1, b'a picture')\nprint('by Python')\n"
    write(folder, {"stall.py": draws + APP.format(name="app")})
    thread = threading.Thread(target=import_application, args=("stall",))
    thread.start()
    thread.join()
    assert capfd.readouterr() == ("a picture", "by Python\n")


@pytest.mark.parametrize("zone", ["Asia/Tokyo", None])
def test_times_stay_in_the_operators_zone_whatever_an_application_sets(
    folder: Path, monkeypatch: pytest.MonkeyPatch, zone: str | None
) -> None:
    sets_zone = "import os, time\nos.environ['TZ'] = 'America/Chicago'\ntime.tzset()\n"
    write(folder, {"stall.py": sets_zone + APP.format(name="app")})
    monkeypatch.delenv("TZ", raising=False)
    if zone is not None:
        monkeypatch.setenv("TZ", zone)
    time.tzset()
    before = time.strftime("%z")
    import_application("stall")
    assert (os.environ.get("TZ"), time.strftime("%z")) == (zone, before)


def test_an_import_that_waits_is_said_with_its_place(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(application_import, "PATIENCE_S", 0.05)
    waits = (
        "import sys, threading\nwhile 'still being' not in sys.stderr.getvalue():\n    threading.Event().wait(0.01)\n"
    )
    write(folder, {"stall.py": f"{waits}{APP.format(name='app')}"})
    import_application("stall")
    said = capsys.readouterr().err
    assert f"nexus-tui: -A stall is still being imported, at {folder / 'stall.py'}, line " in said


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
