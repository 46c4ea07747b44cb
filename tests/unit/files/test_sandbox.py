"""A child may do what it likes: its owner gets a result or a typed error."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from celery_nexus.task_errors import Corrupt, Crashed, TooLarge
from tests.harness.places import ROOT
from tests.unit.files import sandbox_jobs as jobs
from workers.errors import Encrypted, TimedOut, TooComplex
from workers.services import sandbox
from workers.services.sandbox import Limits


def _zygote() -> int:
    return int(sandbox.run(jobs.echo, {})["parent"])


def test_a_result_comes_back_as_it_was_made() -> None:
    assert sandbox.run(jobs.echo, {"text": "größer\n", "number": 1.5})["payload"] == {"text": "größer\n", "number": 1.5}


def test_every_file_gets_a_fresh_child_of_the_same_zygote() -> None:
    first, second = sandbox.run(jobs.echo, {}), sandbox.run(jobs.echo, {})
    assert first["pid"] != second["pid"]
    assert first["parent"] == second["parent"] != os.getpid()


def test_progress_arrives_in_order() -> None:
    seen: list[tuple[int, int | None, str]] = []
    sandbox.run(jobs.report, {}, progress=lambda done, total, note="": seen.append((done, total, note)))
    assert seen == [(1, 2, "half"), (2, 2, "all")]


def test_a_sleeping_child_is_ended_by_the_wall_clock() -> None:
    with pytest.raises(TimedOut, match=r"timeout: not finished after 0\.3 s"):
        sandbox.run(jobs.sleep, {}, limits=Limits(wall_s=0.3))


def test_a_child_that_hangs_in_c_with_signals_blocked_is_ended_by_the_wall_clock() -> None:
    with pytest.raises(TimedOut):
        sandbox.run(jobs.hang_in_c, {}, limits=Limits(wall_s=0.3))


def test_too_much_memory_is_too_complex() -> None:
    with pytest.raises(TooComplex, match="needs more memory"):
        sandbox.run(jobs.swell, {})


def test_endless_recursion_is_too_complex() -> None:
    with pytest.raises(TooComplex, match="nested deeper"):
        sandbox.run(jobs.recurse, {})


def test_a_segmentation_fault_is_named() -> None:
    with pytest.raises(Crashed, match="SIGSEGV"):
        sandbox.run(jobs.crash, {})


def test_an_abort_as_libraries_do_without_memory_is_too_complex() -> None:
    with pytest.raises(TooComplex, match="SIGABRT"):
        sandbox.run(jobs.abort, {})


def test_a_child_that_leaves_without_an_answer_has_crashed() -> None:
    with pytest.raises(Crashed, match="exit code 3"):
        sandbox.run(jobs.leave, {})


def test_system_exit_of_a_library_is_no_way_out() -> None:
    with pytest.raises(Corrupt, match="damaged in a way"):
        sandbox.run(jobs.exit_politely, {})


def test_a_foreign_error_becomes_corrupt_in_words_of_ours() -> None:
    with pytest.raises(Corrupt) as caught:
        sandbox.run(jobs.fail, {})
    assert str(caught.value) == "corrupt: the document is damaged in a way that its reader does not know"


def test_a_typed_error_keeps_its_type_and_words() -> None:
    with pytest.raises(Encrypted, match=r"^encrypted: has a password$"):
        sandbox.run(jobs.refuse, {})


def test_an_answer_beyond_the_limit_is_too_large() -> None:
    with pytest.raises(TooLarge):
        sandbox.run(jobs.answer_too_much, {})


def test_a_file_beyond_the_limit_is_not_written(tmp_path: Path) -> None:
    target = tmp_path / "big"
    with pytest.raises(TooLarge, match="larger than a run may write"):
        sandbox.run(jobs.write_too_much, {"path": str(target)}, limits=Limits(file_bytes=1 << 20))
    assert target.stat().st_size == 1 << 20


def test_a_killed_zygote_between_jobs_is_replaced() -> None:
    before = _zygote()
    os.kill(before, signal.SIGKILL)
    assert _zygote() != before


def test_a_zygote_that_is_killed_during_each_try_is_a_crash_and_not_a_hang() -> None:
    with pytest.raises(Crashed, match="killed from outside"):
        sandbox.run(jobs.kill_zygote, {})
    assert _zygote() > 0


def test_a_child_knows_no_secret_of_its_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "secret")
    monkeypatch.setenv("NEXUS_REDIS_URL", "redis://:secret@localhost")
    sandbox.close()
    names = sandbox.run(jobs.environment, {})["names"]
    assert [name for name in names if name.startswith(("NEXUS", "ANTHROPIC"))] == []


def test_a_child_holds_no_socket() -> None:
    assert sandbox.run(jobs.descriptors, {})["sockets"] == []


def test_the_zygote_and_its_child_end_with_their_owner() -> None:
    program = (
        "import sys, threading\n"
        "from tests.unit.files import sandbox_jobs as jobs\n"
        "from workers.services import sandbox\n"
        "print(sandbox.run(jobs.echo, {})['parent'], flush=True)\n"
        "sandbox.run(jobs.sleep, {})\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE)
    assert owner.stdout
    zygote = psutil.Process(int(owner.stdout.readline()))
    child = _first_child(zygote)
    owner.kill()
    owner.wait()
    owner.stdout.close()
    gone, alive = psutil.wait_procs([zygote, child], timeout=10)
    assert (len(gone), alive) == (2, [])


def _first_child(process: psutil.Process) -> psutil.Process:
    for _ in range(200):
        if children := process.children():
            return children[0]
        time.sleep(0.05)
    raise TimeoutError("no child")
