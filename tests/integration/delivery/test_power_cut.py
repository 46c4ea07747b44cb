"""The embedded broker's files after a power cut: a real server writes them, and loads what is left of them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from celery_nexus.embedded_broker.append_only.repair import read_repairs
from tests.harness.places import ROOT
from tests.harness.servers import Broker, start_embedded_broker

RUNS = 50
BASE, CHANGES = "appendonly.aof.1.base.rdb", "appendonly.aof.1.incr.aof"


@pytest.fixture(scope="module")
def written() -> Iterator[Path]:
    """The home of a broker that was killed with fifty messages in a list."""
    home = Path(tempfile.mkdtemp(prefix="nexus-p-"))
    broker = start_embedded_broker(home)
    with redis.Redis.from_url(broker.url) as client:
        for number in range(RUNS):
            client.rpush("queue", f"message {number}")
        client.eval("redis.call('SET', 'a', 1) redis.call('SET', 'b', 2)", 0)
        client.config_set("appendfsync", "always")
        client.set("last", "1")
    stop(broker)
    yield home
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def home(written: Path) -> Iterator[Path]:
    """A copy of its files in a home of its own; this machine has not booted since."""
    home = Path(tempfile.mkdtemp(prefix="nexus-p-"))
    shutil.copytree(written / "broker", home / "broker")
    yield home
    shutil.rmtree(home, ignore_errors=True)


def stop(broker: Broker) -> None:
    broker.process.send_signal(signal.SIGKILL)
    broker.process.wait(10)


def loaded(home: Path) -> tuple[int, bool]:
    """Start the broker; return how many messages it has, and whether what a script wrote is there."""
    broker = start_embedded_broker(home)
    try:
        with redis.Redis.from_url(broker.url) as client:
            return client.llen("queue"), bool(client.exists("a", "b"))
    finally:
        stop(broker)


def cut(path: Path, size: int) -> None:
    os.truncate(path, path.stat().st_size - size)


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def overwrite(path: Path, place: float, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(int(path.stat().st_size * place))
        file.write(data)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: cut(folder / CHANGES, 5),
        lambda folder: append(folder / CHANGES, b"\0" * 4096),
        lambda folder: append(folder / CHANGES, bytes(range(255)) * 20),
        lambda folder: append(folder / CHANGES, b"*3\r\n$5\r\nLPUSH\r\n$5\r\nqueue\r\n$4000\r\nhalf"),
        lambda folder: (folder / BASE).unlink(),
        lambda folder: (folder / BASE).write_bytes(b""),
        lambda folder: overwrite(folder / BASE, 0.5, b"XXXX"),
        lambda folder: (folder / "appendonly.aof.manifest").unlink(),
        lambda folder: (folder / "appendonly.aof.manifest").write_bytes(b"\0" * 88),
    ],
    ids=["cut", "zeros", "garbage", "half", "no base", "empty base", "bad base", "no manifest", "bad manifest"],
)
def test_a_damage_at_the_edge_costs_no_message(home: Path, damage: Callable[[Path], object]) -> None:
    damage(home / "broker" / "appendonlydir")
    assert loaded(home) == (RUNS, True)
    assert len(read_repairs(home / "broker")) == 1


def test_garbage_in_the_middle_costs_what_follows_and_the_original_is_kept(home: Path) -> None:
    changes = home / "broker" / "appendonlydir" / CHANGES
    overwrite(changes, 0.5, b"\0" * 64)
    original = changes.read_bytes()
    messages, has_script = loaded(home)
    assert 10 < messages < 40
    assert not has_script
    assert [path.read_bytes() for path in (home / "broker" / "aside").rglob(CHANGES)] == [original]
    assert loaded(home) == (messages, False)
    assert len(read_repairs(home / "broker")) == 1


def test_what_can_not_be_mended_ends_the_program_for_good_and_names_the_next_step(home: Path) -> None:
    (home / "broker" / "appendonlydir" / CHANGES).unlink()
    command = [sys.executable, "-m", "celery_nexus.embedded_broker"]
    environment = {**os.environ, "NEXUS_HOME": str(home)}
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 78
    assert "put it back from a backup, or begin with an empty broker: mv " in done.stdout
    assert (home / "run" / "broker.trouble").read_text() in done.stdout
