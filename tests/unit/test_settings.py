"""The NEXUS_* environment and where things live."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from supervisor.options import ServerOptions

from celery_nexus.connection.errors import ConfigError
from celery_nexus.embedded_broker.password import read_embedded_password
from celery_nexus.paths import MAX_SOCKET_PATH, Paths
from celery_nexus.stack.configuration import relocate
from config.settings import Settings, describe, settings
from config.supervisor import render
from tests.harness.places import ROOT


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """An environment whose settings are read anew, now and after the test."""
    settings.cache_clear()
    yield monkeypatch
    monkeypatch.undo()
    settings.cache_clear()


def test_a_wrong_redis_url_is_named_with_what_would_be_right(fresh: pytest.MonkeyPatch) -> None:
    fresh.setenv("NEXUS_REDIS_URL", "localhost:6379")
    with pytest.raises(ConfigError, match="NEXUS_REDIS_URL: scheme 'localhost' is not Redis; expected redis://"):
        settings()


def test_a_password_in_a_wrong_url_is_not_repeated(fresh: pytest.MonkeyPatch) -> None:
    fresh.setenv("NEXUS_REDIS_URL", "http://:hunter2@h")
    with pytest.raises(ConfigError) as caught:
        settings()
    assert "hunter2" not in str(caught.value)


def test_a_setting_says_where_it_came_from_and_hides_its_secret(fresh: pytest.MonkeyPatch) -> None:
    fresh.setenv("NEXUS_SMTP_URL", "smtp://bob:hunter2@mail.example.org")
    rows = {row.name: row for row in describe(settings())}
    assert rows["smtp_url"].value == "smtp://***@mail.example.org"
    assert rows["smtp_url"].source == "environment NEXUS_SMTP_URL"
    assert rows["mail_from"].source == "default"


def test_the_roots_of_files_follow_the_home_unless_they_are_set(tmp_path: Path) -> None:
    assert Settings(home=tmp_path).uploads == tmp_path / "uploads"
    assert Settings(home=tmp_path, upload_root=tmp_path / "in").uploads == tmp_path / "in"


def test_the_brokers_password_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    paths = Paths.of(tmp_path)
    first = read_embedded_password(paths)
    assert read_embedded_password(paths) == first
    assert len(first) >= 32
    assert stat.S_IMODE(paths.broker_password.stat().st_mode) == 0o600


def test_a_home_that_cannot_be_made_is_an_error_that_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="set NEXUS_HOME"):
        read_embedded_password(Paths.of(tmp_path / "file" / "home"))


def test_sockets_of_a_home_with_a_long_path_are_in_a_short_folder(tmp_path: Path) -> None:
    paths = Paths.of(tmp_path / ("x" * 120))
    assert paths.run_is_elsewhere
    assert len(os.fsencode(paths.supervisor_socket)) + len(".1234567") <= MAX_SOCKET_PATH
    assert paths.history.is_relative_to(tmp_path)


def test_two_homes_with_long_paths_do_not_share_their_sockets(tmp_path: Path) -> None:
    first, second = (Paths.of(tmp_path / (letter * 120)) for letter in "ab")
    assert first.run != second.run


def test_supervisor_reads_a_path_with_a_space_as_one_word(tmp_path: Path) -> None:
    home, environment = tmp_path / "my home", tmp_path / "my env"
    home.mkdir()
    (home / "log").mkdir()
    (home / "run").mkdir()
    conf = home / "supervisor.conf"
    conf.write_text(relocate(render(), ROOT, Paths(home, home / "run", home / "log"), environment))
    options: Any = ServerOptions()
    options.configfile = str(conf)
    options.here = str(home)
    options.searchpaths = [str(conf)]
    options.process_config(do_usage=False)
    programs = [program for group in options.process_group_configs for program in group.process_configs]
    words = {program.name: shlex.split(program.command) for program in programs}
    assert words["broker"] == [
        f"{environment}/bin/python",
        "-m",
        "celery_nexus.embedded_broker",
        "-A",
        "config.celery_config",
    ]
    assert words["ai"][:4] == [f"{environment}/bin/celery", "-A", "config.celery_config", "worker"]
    assert {program.stdout_logfile for program in programs if program.name == "ai"} == {f"{home}/log/ai.log"}


@pytest.mark.parametrize("name", ['say "so"', "100%", "a #b", "a ;b", "back\\slash", "new\nline"])
def test_a_path_that_supervisor_has_no_spelling_for_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"can't be written into supervisor\.conf"):
        relocate(render(), ROOT, Paths(tmp_path / name, tmp_path / "run", tmp_path / "log"), tmp_path)
