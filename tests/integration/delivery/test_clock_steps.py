"""The wall clock is set while runs run: of a worker, the guardian, and the broker."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.faults.clocks import FAKETIME, STEPS_S, Clocks

pytestmark = pytest.mark.skipif(not FAKETIME and not os.environ.get("CI"), reason="needs Debian's libfaketime")


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
        stack.run("-m", "celery_nexus.delivery.guardian", "-A", "config.celery_config", log="guardian.log")
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
