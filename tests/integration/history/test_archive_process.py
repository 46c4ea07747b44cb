"""The process that archives: killed at any moment, stopped by Ctrl+C, and what the command says."""

import json
import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pytest
from click.testing import CliRunner

from celery_nexus.history.archive.archiving import Progress
from celery_nexus.history.store.store import Store
from celery_nexus.runs.archive import ArchivingProcess
from config.settings import settings
from nexus_tui.cli import cli

AT = 1_700_000_000.0
RUNS = 60
SMALL_PARTS = """
import sys, time
from celery_nexus.history.archive import archiving
from celery_nexus.history.archive.__main__ import main
archiving.WINDOW = archiving.ROWS_AT_ONCE = archiving.PART_RUNS = 5
report = archiving.Archiver._write
def slowly(self):
    report(self)
    time.sleep(0.05)
archiving.Archiver._write = slowly
"""


def ended(number: int) -> list[dict[str, Any]]:
    base = {"uuid": f"run-{number:03d}", "hostname": "w@h", "timestamp": AT + number}
    sent = {"type": "task-sent", "name": "mail", "args": [number], "kwargs": {}}
    return [base | sent, base | {"type": "task-succeeded", "runtime": 0.5, "result_json": "null"}]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    store = Store(home / "history.db")
    store.write(event for number in range(RUNS) for event in ended(number))
    store.close()
    return home


def nexus(home: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "NEXUS_HOME": str(home)}
    environment.pop("NEXUS_REDIS_URL", None)
    command = [sys.executable, "-m", "nexus_tui", *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_after_a_kill_the_next_process_archives_each_run_that_is_missing_and_no_other_again(
    home: Path, tmp_path: Path
) -> None:
    code = SMALL_PARTS + "sys.exit(main())"
    history, folder = home / "history.db", tmp_path / "archive"
    command = [sys.executable, "-c", code, str(history), str(folder), ""]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as killed:
        for line in killed.stdout or ():
            if json.loads(line)["files"] >= 3:
                killed.kill()
                break
    assert 15 <= len(ds.dataset(folder, format="parquet").to_table()) < RUNS
    process = nexus(home, "history", "archive", str(folder), "--json")
    said = json.loads(process.communicate(timeout=60)[0])
    ids = ds.dataset(folder, format="parquet").to_table(columns=["id"]).column("id").to_pylist()
    assert sorted(ids) == [f"run-{number:03d}" for number in range(RUNS)]
    assert said["archived"] + said["known"] == RUNS
    assert said["known"] >= 15


def test_ctrl_c_stops_the_process_and_says_that_the_command_goes_on(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    children: list[subprocess.Popen[bytes]] = []

    def interrupted(process: ArchivingProcess) -> Generator[Progress]:
        children.append(process._child)
        process.progress = Progress(total=60, seen=30, archived=15, files=3)
        yield process.progress
        raise KeyboardInterrupt

    monkeypatch.setattr(ArchivingProcess, "follow", interrupted)
    monkeypatch.setenv("NEXUS_HOME", str(home))
    monkeypatch.delenv("NEXUS_REDIS_URL", raising=False)
    settings.cache_clear()
    said = CliRunner().invoke(cli, ["history", "archive", str(tmp_path / "archive")])
    settings.cache_clear()
    assert (said.exit_code, said.stderr) == (130, "stopped: 15 runs archived; the same command goes on\n")
    assert [child.poll() is None for child in children] == [False]


def test_what_went_wrong_in_the_process_is_the_command_s_error(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    process = nexus(home, "history", "archive", str(file / "archive"))
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (
        1,
        f"nexus-tui: the archive {file / 'archive'} can't be written: Not a directory\n",
    )
