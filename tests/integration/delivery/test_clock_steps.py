"""The wall clock is set while runs run: of a worker, the guardian, and the broker."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

FAKETIME = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
CLOCK = Path(__file__).parent / "clock"
STEPS_S = (1, -1, 3600, -3600, 0)

pytestmark = pytest.mark.skipif(not FAKETIME and not os.environ.get("CI"), reason="needs Debian's libfaketime")


class Clocks:
    """Clocks of programs, each of which reads its own from a file; monotonic clocks stay as they are."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of_server(self) -> dict[str, str]:
        """Let the broker have a clock of its own."""
        self.set("broker", 0)
        return {
            "LD_PRELOAD": str(FAKETIME[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self._folder / "broker"),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_CACHE_DURATION": "1",
        }

    def of_program(self, name: str, environment: dict[str, str]) -> dict[str, str]:
        """Let a Python program have a clock of its own."""
        self.set(name, 0)
        return environment | {
            "NEXUS_TEST_CLOCK": str(self._folder / name),
            "PYTHONPATH": f"{CLOCK}:{environment['PYTHONPATH']}",
        }

    def set(self, name: str, offset_s: float) -> None:
        """Step a clock."""
        new = self._folder / f"{name}.new"
        new.write_text(f"{offset_s:+d}s" if name == "broker" else str(offset_s))
        new.replace(self._folder / name)


@pytest.fixture
def clocks(tmp_path: Path) -> Clocks:
    """Clocks that the test sets."""
    return Clocks(tmp_path)


@pytest.fixture
def stepped(clocks: Clocks) -> Iterator[Any]:
    """A stack of its own: the clock of its broker is set as well."""
    from tests.integration.delivery.conftest import Stack

    home = Path(tempfile.mkdtemp(prefix="nexus-c-"))
    stack = Stack(home)
    plain = dict(stack.environment)
    stack.environment = plain | clocks.of_server()
    try:
        stack.start_broker()
        for name in ("w", "v"):
            stack.environment = clocks.of_program(name, plain)
            stack.worker(name)
        stack.environment = clocks.of_program("guardian", plain)
        stack.run("-m", "workers.delivery.guardian", log="guardian.log")
        yield stack
    finally:
        stack.close()
        shutil.rmtree(home, ignore_errors=True)


def test_nothing_is_lost_and_nothing_runs_twice_while_clocks_are_set(stepped: Any, clocks: Clocks) -> None:
    for program in ("w", "guardian", "broker"):
        for step_s in STEPS_S:
            batch = [f"{program} {step_s} {number}" for number in range(8)]
            for run in batch:
                stepped.publish("t.note", run, 0.4)
            stepped.until(lambda run=batch[0]: stepped.count(f"started:{run}"))
            clocks.set(program, step_s)
            stepped.until(lambda batch=batch: all(stepped.count(f"done:{run}") for run in batch), 60)
            assert {stepped.count(f"started:{run}") for run in batch} == {1}, (program, step_s)
    assert (stepped.home / "guardian.log").read_text() == ""
    assert "the lease of" not in stepped.log("w") + stepped.log("v")
