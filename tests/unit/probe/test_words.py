"""The words of ``nexus-tui probe``: what is a probe, which broker it asks, and what it must not import."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from celery_nexus.connection.errors import ConfigError
from celery_nexus.errors import Invalid
from nexus_tui import probe
from nexus_tui.front_door import probe_door

URL = "redis://127.0.0.1:6379/3"
HEAVY = ("celery", "kombu", "redis", "textual", "pydantic", "click", "rich", "asyncio")


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let no variable and no stack name a broker."""
    for name in (probe_door.SETTING, probe_door.HOME, probe_door.BROKER_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(probe_door, "_project", lambda: None)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("probe broker", ["broker"]),
        ("-b URL probe worker a", ["-b", "URL", "worker", "a"]),
        ("--broker=URL probe queue a --json", ["--broker=URL", "queue", "a", "--json"]),
        ("queues", None),
        ("queues probe", None),
        ("-b probe", None),
        ("probe --help", None),
        ("", None),
    ],
)
def test_a_probe_is_told_from_every_other_command(line: str, words: list[str] | None) -> None:
    assert probe.find_words(line.split()) == words


def test_the_broker_of_the_command_line_comes_before_those_of_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(probe_door.SETTING, "redis://setting/0")
    monkeypatch.setenv(probe_door.BROKER_VARIABLE, "redis://celery/0")
    values = {"broker": URL, "timeout": "0.5", "prefix": "shop:"}
    assert probe.read_question(values, ["worker", "w@h"]).url.masked == URL
    assert probe.read_question({}, ["broker"]).url.host == "setting"
    monkeypatch.delenv(probe_door.SETTING)
    assert probe.read_question({}, ["broker"]).url.host == "celery"


def test_an_application_is_refused_with_what_to_give_instead() -> None:
    with pytest.raises(Invalid, match="give -b URL"):
        probe.read_question({"application": "shop"}, ["broker"])
    assert probe.read_question({"application": "shop", "broker": URL}, ["broker"]).url.masked == URL


def test_the_broker_of_a_context_is_asked_and_its_application_is_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "nexus" / "contexts.toml"
    file.parent.mkdir()
    file.write_text('[prod]\nbroker = "redis://:${SECRET}@prod/2"\nprefix = "shop:"\n[code]\napp = "shop"\n')
    file.chmod(0o600)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("SECRET", "hunter2")
    found = probe.read_question({"context": "prod"}, ["broker"])
    assert (found.url.host, found.url.password, found.prefix) == ("prod", "hunter2", "shop:")
    with pytest.raises(Invalid, match="the context code names an application"):
        probe.read_question({"context": "code"}, ["broker"])


@pytest.mark.parametrize("words", [[], ["worker"], ["beat", "now"], ["beet"], ["worker", "a", "b"]])
def test_what_makes_no_sense_is_answered_with_the_usage(words: list[str]) -> None:
    with pytest.raises(Invalid, match="usage: nexus-tui probe worker NAME"):
        probe.read_question({"broker": URL}, words)


@pytest.mark.parametrize("timeout", ["0", "-1", "nan", "soon", "1e9"])
def test_a_time_that_is_none_is_refused(timeout: str) -> None:
    with pytest.raises(Invalid, match="--timeout"):
        probe.read_question({"broker": URL, "timeout": timeout}, ["broker"])


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(Invalid, match="option --all not recognized"):
        probe.read_options(["broker", "--all"])


def test_rabbitmq_can_not_be_probed(capsys: pytest.CaptureFixture[str]) -> None:
    assert probe.run(["broker", "-b", "amqp://guest@localhost//"]) == 2
    assert "this is RabbitMQ" in capsys.readouterr().out


def test_a_broker_that_no_variable_names_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert probe.run(["broker"]) == 2
    assert capsys.readouterr().out == "no broker is named: give -b URL, or set CELERY_BROKER_URL\n"


def test_a_variable_that_can_not_be_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(probe_door.BROKER_VARIABLE, "redis://")
    with pytest.raises(ConfigError, match=r"^CELERY_BROKER_URL: no host"):
        probe.read_question({}, ["broker"])


@pytest.mark.parametrize(("words", "code"), [(["broker"], 1), (["worker", "a"], 2), (["queue", "a"], 2), (["beat"], 2)])
def test_a_server_that_hangs_is_answered_by_the_probes_time(
    words: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = f"redis://127.0.0.1:{server.getsockname()[1]}/0"
        assert probe.run([*words, "-b", place, "--timeout", "0.2"]) == code
    assert f"broker {place} does not answer in time" in capsys.readouterr().out


def test_a_server_that_answers_a_byte_at_a_time_is_answered_by_the_probes_time() -> None:
    def drip(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            try:
                while connection.recv(100) or True:
                    connection.sendall(b"*1\r\n")
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=drip, args=(server,), daemon=True).start()
        assert probe.run(["broker", "-b", f"redis://127.0.0.1:{server.getsockname()[1]}/0", "--timeout", "0.2"]) == 1


def test_a_server_that_is_no_redis_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    def greet(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            connection.recv(1000)

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=greet, args=(server,), daemon=True).start()
        assert probe.run(["broker", "-b", f"redis://127.0.0.1:{server.getsockname()[1]}/0"]) == 1
    assert "does not speak as Redis does" in capsys.readouterr().out


def test_no_password_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert probe.run(["broker", "-b", "redis://:hunter2@127.0.0.1:1/0", "--json"]) == 1
    assert "hunter2" not in capsys.readouterr().out


@pytest.mark.parametrize("part", ["worker a@h", "queue celery", "beat", "broker", "recorder", "guardian"])
def test_a_probe_imports_nothing_heavy(part: str) -> None:
    code = f"""
import sys
from celery_nexus.probe import inquiry, programs, queue, worker
sys.argv = ["nexus-tui", *{part.split()!r}, "-b", "redis://127.0.0.1:1/0"]
sys.argv.insert(1, "probe")
from nexus_tui.__main__ import main
try:
    main()
except SystemExit:
    print(sorted({set(HEAVY)!r} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
