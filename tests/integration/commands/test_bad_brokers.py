"""Every command of ``nexus-tui`` at every kind of bad broker: a sentence and an exit code, no traceback."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import click
import pytest

from celery_nexus.broker.wire import connection
from nexus_tui.cli import cli, main
from tests.harness.ports import free_port
from tests.harness.servers import run_server

# A command's connections end with its process, which here goes on.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

LACKING = {
    "a user without INFO": "-info",
    "a user without EVAL": "-eval -evalsha",
    "a user without SCAN": "-scan -hscan",
    "a user without CLIENT": "-client",
    "a user who may read alone": "-@all +@read +@connection +info",
    "a user who may do nothing": "-@all",
}
ARGUMENTS = {
    "task": ["r1"],
    "workflow": ["r1"],
    "why": ["q1"],
    "probe": ["broker"],
    "bundle": ["/nowhere/bundle.tar.gz"],
    "record": ["/nowhere/incident.nexusrec"],
    "replay": ["/nowhere/incident.nexusrec"],
    "schedule show": ["e1"],
    **{key: ["e1", "--yes"] for key in ("schedule pause", "schedule resume", "schedule run", "schedule skip")},
    "schedule backfill": ["e1", "--from", "2026-01-01T00:00", "--to", "2026-01-01T01:00", "--yes"],
    "demo": ["--for", "1s"],
    "dead-letters show": ["l1"],
    **{key: ["l1", "--yes"] for key in ("dead-letters drop", "dead-letters retry")},
    "chords finish": ["g1", "--yes"],
    "submit": ["cleanup_results", "--yes"],
    **{key: ["r1", "--yes"] for key in ("retry", "revoke", "delete")},
    "priority": ["r1", "3", "--yes"],
    "delay": ["r1", "--now", "--yes"],
    "move": ["r1", "q2", "--yes"],
    "undo": ["--yes"],
    **{key: ["q1", "--yes"] for key in ("pause", "resume", "purge", "reclaim")},
    "scale": ["workers:ai", "2", "--yes"],
    **{key: ["w@h", "--yes"] for key in ("drain", "grow", "shrink", "pool-restart", "shutdown")},
    "autoscale": ["w@h", "3", "1", "--yes"],
    **{key: ["w@h", "q1", "--yes"] for key in ("add-consumer", "cancel-consumer")},
    "rate-limit": ["t", "1/m", "--yes"],
    "time-limit": ["t", "--hard", "3", "--yes"],
    "forget": ["pool w@h", "--yes"],
    "drain-restart": ["w@h", "--yes"],
    "remove-replies": ["--yes"],
    "mark": ["v2", "--yes"],
    "alerts silence": ["depth", "2h", "a deploy", "--yes"],
    "alerts unsilence": ["depth", "--yes"],
    "alerts test": ["mail"],
    "watch": ["--once"],
    **{key: ["--yes"] for key in ("events disable", "events enable", "history compact")},
    "history import": ["/nowhere", "--yes"],
    "export": ["state:failure", "x.csv", "--force"],
}
NO_BROKER = {"init", "keys", "up", "down", "start", "stop", "restart", "history record", "history archive"}
"""They read a file, or start, stop or wait for programs, whatever the broker."""

SLOW = {"a server that never answers", "TLS to a server without"}
"""Each command waits for these, so that a few stand for all."""

FEW = ("status", "queues", "doctor", "submit", "revoke", "pause", "tasks", "workers")


def commands() -> list[str]:
    """Name every command, groups that are one by themselves, too."""
    found: list[str] = []

    def walk(group: click.Group, path: tuple[str, ...]) -> None:
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            if not isinstance(command, click.Group) or command.invoke_without_command:
                found.append(" ".join((*path, name)))
            if isinstance(command, click.Group):
                walk(command, (*path, name))

    walk(cli, ())
    return [name for name in found if name not in NO_BROKER]


class Servers:
    """Servers that are no good as a broker."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def start(self, *lines: str) -> int:
        """Start a server; returns its port."""
        port = free_port()
        self._stack.enter_context(run_server(*lines, port=port))
        return port

    def say(self, answer: bytes) -> int:
        """Start what answers so to anything, or never when there is no answer; returns its port."""
        listening = socket.create_server(("127.0.0.1", 0))
        self._stack.callback(listening.close)
        self._stack.callback(listening.shutdown, socket.SHUT_RDWR)
        threading.Thread(target=self._answer, args=(listening, answer), daemon=True).start()
        return int(listening.getsockname()[1])

    @staticmethod
    def _answer(listening: socket.socket, answer: bytes) -> None:
        kept: list[socket.socket] = []
        with ExitStack() as open_ones:
            while True:
                try:
                    kept.append(open_ones.enter_context(listening.accept()[0]))
                    if answer:
                        kept[-1].recv(1000)
                        kept.pop().sendall(answer)
                except OSError:
                    if not answer or listening.fileno() < 0:
                        return


@pytest.fixture(scope="module")
def brokers() -> Iterator[dict[str, str]]:
    """Addresses of bad brokers."""
    with ExitStack() as stack:
        servers = Servers(stack)
        users = [f"user u{number} on >p ~* &* +@all {lacks}" for number, lacks in enumerate(LACKING.values())]
        plain, locked = servers.start(*users), servers.start("requirepass secret")
        host = "redis://127.0.0.1"
        yield {
            "nobody listens": f"{host}:1/0",
            "no password": f"{host}:{locked}/0",
            "a wrong password": f"redis://:hunter2@127.0.0.1:{locked}/0",
            "no such database": f"{host}:{plain}/99",
            "a server of HTTP": f"{host}:{servers.say(b'HTTP/1.1 400 Bad Request')}/0",
            "a server that never answers": f"{host}:{servers.say(b'')}/0",
            "a Redis Cluster": f"{host}:{servers.start('cluster-enabled yes')}/0",
            "a replica": f"{host}:{servers.start(f'replicaof 127.0.0.1 {plain}')}/0",
            "TLS to a server without": f"rediss://127.0.0.1:{plain}/0",
            **{name: f"redis://u{number}:p@127.0.0.1:{plain}/0" for number, name in enumerate(LACKING)},
        }


KINDS = (
    *("nobody listens", "no password", "a wrong password", "no such database", "a server of HTTP"),
    *("a server that never answers", "a Redis Cluster", "a replica", "TLS to a server without"),
    *LACKING,
)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Wait for nobody, read nothing, and leave nothing in anybody's home."""
    monkeypatch.setattr(connection, "ANSWER_TIMEOUT_S", 0.1)
    monkeypatch.setattr(connection, "CONNECT_TIMEOUT_S", 0.1)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        yield


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("kind", KINDS)
def test_every_command_says_in_a_sentence_what_is_wrong(
    brokers: dict[str, str], kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in FEW if kind in SLOW else commands():
        for more in ([], ["--json"]):
            arguments = [*command.split(), *ARGUMENTS.get(command, []), *more, "--broker", brokers[kind]]
            monkeypatch.setattr(sys, "argv", ["nexus-tui", *arguments])
            with pytest.raises(SystemExit) as end:
                main()
            said = capsys.readouterr()
            where = f"{command} {more}: {end.value.code} {said.err!r} {said.out[:200]!r}"
            assert end.value.code in (0, 1, 2, 3, 4, 5), where
            assert "hunter2" not in said.err + said.out, where
            assert "Traceback" not in said.err + said.out, where
            if end.value.code != 0:  # a report of several things says it in its lines
                assert len(said.err.splitlines()) == 1 or (said.out and not said.err), where
            if more and said.out:
                json.loads(said.out)


REFUSALS = {
    "nobody listens": (3, "does not answer: Error 111 connecting to 127.0.0.1:1. Connection refused."),
    "a wrong password": (5, "refuses: invalid username-password pair or user is disabled."),
    "no such database": (5, "answers with an error: DB index is out of range"),
    "a server of HTTP": (3, "does not speak as Redis does: "),
    "a Redis Cluster": (5, ": this is a Redis Cluster, which Celery can't use as a broker: "),
}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("kind", REFUSALS)
@pytest.mark.parametrize("command", ["pause", "move", "purge", "why", "workers"])
def test_what_is_wrong_with_the_broker_is_no_missing_queue(
    brokers: dict[str, str],
    kind: str,
    command: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, words = REFUSALS[kind]
    monkeypatch.setattr(sys, "argv", ["nexus-tui", command, *ARGUMENTS.get(command, []), "--broker", brokers[kind]])
    with pytest.raises(SystemExit) as end:
        main()
    said = capsys.readouterr().err
    assert (end.value.code, words in said) == (code, True), said
