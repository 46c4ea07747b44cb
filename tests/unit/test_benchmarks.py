"""Benchmarks that lack something, a side of them or a library, say what it is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import burst, ingest
from benchmarks.apparatus import lacks, report
from benchmarks.apparatus.lacks import ChildFailed, NotMeasured, run_child
from tests.harness.places import ROOT


def test_without_flower_the_other_side_is_measured_and_flower_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"cpu_s": 1.0, "events": 1000, "rss": 90e6}
    monkeypatch.setattr(ingest, "is_installed", lambda module: module != "flower")
    monkeypatch.setattr(ingest, "run_ours", lambda tasks: row)
    monkeypatch.setattr(ingest, "run_peer", lambda peer, tasks: row | {"cpu_s": 4.0})
    figures = {figure.name: figure for figure in ingest.measure()}
    missing = figures["cpu_per_event_against_flower"]
    assert isinstance(missing, NotMeasured)
    assert missing.lacks.startswith("Flower 2.2; make test installs")
    assert getattr(figures["cpu_per_event_against_celery"], "value", None) == 0.25


def test_without_flower_a_burst_is_measured_on_the_other_receivers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(burst, "is_installed", lambda module: False)
    monkeypatch.setattr(burst, "TASKS", 1)
    monkeypatch.setattr(burst, "RUNS", 1)
    row = {"seen": 4, "peak_rss": 90e6}
    monkeypatch.setattr(burst, "SIDES", {name: lambda *_: row for name in ("ours", "flower", "dump")})
    assert [figure.name for figure in burst.measure() if isinstance(figure, NotMeasured)] == ["burst_lost_by_flower"]


def test_what_was_not_measured_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["bench"])
    report.run(lambda: [NotMeasured("cpu", "Flower 2.2")])
    assert capsys.readouterr().out == "cpu: not measured, this machine lacks Flower 2.2\n"


def test_what_was_not_measured_is_in_the_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", "--json"])
    report.run(lambda: [NotMeasured("cpu", "Flower 2.2")])
    assert capsys.readouterr().out == '{"cpu": {"lacks": "Flower 2.2"}}\n'


def test_a_side_that_fails_is_named_with_its_last_words() -> None:
    code = "import sys; sys.exit('no such broker')"
    with pytest.raises(ChildFailed, match=r"ended with code 1: no such broker\Z"):
        run_child([sys.executable, "-c", code])


def test_a_side_that_says_nothing_is_named() -> None:
    with pytest.raises(ChildFailed, match=r"ended with code 0: it said nothing\Z"):
        run_child([sys.executable, "-c", ""])


def test_a_benchmark_whose_library_is_missing_says_which(tmp_path: Path) -> None:
    (tmp_path / "psutil.py").write_text("raise ModuleNotFoundError(\"No module named 'psutil'\", name='psutil')")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    command = [sys.executable, "-m", "benchmarks.ingest", "--json"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"this benchmark lacks psutil: {lacks.INSTALL}\n"


def test_the_peers_workers_find_their_tasks_with_the_peers_own_packages_alone() -> None:
    code = (
        "import sys, types; sys.modules.update(psutil=None, pydantic=None, celery_redis_plus=types.ModuleType('peer'));"
        "import benchmarks.faults.tasks as tasks; print('faults.work' in tasks.app.tasks)"
    )
    environment = os.environ | {
        "FAULTS_DELIVERY": "peer",
        "FAULTS_BROKER": "redis+socket:///s",
        "PYTHONPATH": str(ROOT),
    }
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert said.stdout.strip() == "True", said.stderr
