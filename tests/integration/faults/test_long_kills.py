"""The long form of kills goes on where its harness was killed, and accounts for every run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from tests.harness.places import ROOT

LIMIT_S = 240


def _command(folder: Path) -> list[str]:
    form = ("kills", "--long", "--runs", "900", "--kills", "2", "--folder", str(folder))
    return [sys.executable, "-m", "benchmarks.faults", *form]


def test_it_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    folder, output = tmp_path / "k", tmp_path / "output"
    with output.open("w") as file:
        first = subprocess.Popen(_command(folder), env=environment, cwd=ROOT, stdout=file, stderr=file)
        end = time.monotonic() + LIMIT_S
        while not (folder / "kills.jsonl").exists() and time.monotonic() < end:
            time.sleep(0.1)
        first.kill()
        first.wait()
        code = subprocess.run(
            _command(folder), env=environment, cwd=ROOT, stdout=file, stderr=file, timeout=LIMIT_S, check=False
        ).returncode
    assert (folder / "verdict.json").exists(), (code, output.read_text())
    seen = json.loads((folder / "verdict.json").read_text())
    names = ("published", "done", "lost", "stuck", "unexplained", "interruptions", "unbalanced")
    assert {name: seen[name] for name in names} == {
        "published": 900, "done": 900, "lost": 0, "stuck": 0, "unexplained": 0, "interruptions": 1, "unbalanced": 0,
    }  # fmt: skip
    assert sum(seen["kills"].values()) == 2
