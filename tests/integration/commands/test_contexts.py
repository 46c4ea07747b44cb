"""Contexts on real brokers: a password from the environment, unlocking with an audit line, going to another one."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.harness.commands import CommandResult, run_python
from tests.harness.processes import clean_environment
from tests.harness.servers import run_server
from tests.harness.terminal import Screen

PASSWORD = "p@ss/w:rd #1"
FILE = """
[prod]
broker = "unix://looker:${{LOOKER}}@{socket}"
production = true

[office]
broker = "unix://:${{PASSWORD}}@{socket}?db=1"
production = true
"""


class User:
    """Somebody with a file of contexts, at a broker with a database for each."""

    def __init__(self, folder: Path, socket: Path) -> None:
        (folder / "nexus").mkdir()
        (folder / "nexus" / "contexts.toml").write_text(FILE.format(socket=socket))
        self.client = redis.Redis(unix_socket_path=str(socket), password=PASSWORD, db=1)
        places = dict.fromkeys(("XDG_CONFIG_HOME", "XDG_DATA_HOME", "NEXUS_HOME"), str(folder))
        self.environment = clean_environment(PASSWORD=PASSWORD, LOOKER=PASSWORD, **places)
        self.command = [sys.executable, "-m", "nexus_tui"]

    def say(self, *words: str) -> CommandResult:
        return run_python("-m", "nexus_tui", *words, environment=self.environment)


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    looker = f'user looker on ">{PASSWORD}" ~* &* +@read +@connection +info'
    with run_server(f'requirepass "{PASSWORD}"', looker) as server:
        made = User(tmp_path_factory.mktemp("c"), server.socket)
        made.client.lpush("celery", json.dumps({"body": "W1tdLHt9LHt9XQ==", "headers": {"id": "a", "task": "t"}}))
        made.client.sadd("_kombu.binding.celery", "celery\x06\x16\x06\x16celery")
        yield made
        made.client.close()


def test_production_is_purged_with_a_reason_alone_and_both_are_audited(user: User) -> None:
    refused = user.say("--context", "office", "purge", "celery", "--yes")
    assert (refused.code, user.client.llen("celery")) == (5, 1)
    assert "office is production: :unlock 15m REASON" in refused.err
    done = user.say("--context", "office", "--unlock", "ticket 42", "purge", "celery", "--yes")
    assert (done.code, user.client.llen("celery")) == (0, 0)
    audit = user.say("audit", "--context", "office", "--json").json
    assert [row["action"] for row in audit] == ["Purge", "Unlock"]
    assert audit[1]["message"] == "office: open for changes for one command: ticket 42"
    assert audit[1]["user"]


def test_a_broker_that_takes_no_audit_line_is_not_unlocked(user: User) -> None:
    refused = user.say("--context", "prod", "--unlock", "ticket 42", "purge", "celery", "--yes")
    assert refused.code == 5
    assert "no permissions" in refused.err.lower()
    assert PASSWORD not in refused.err


def test_a_missing_variable_is_one_sentence(user: User) -> None:
    environment = {key: value for key, value in user.environment.items() if key != "PASSWORD"}
    said = run_python("-m", "nexus_tui", "queues", "--context", "office", environment=environment)
    assert said.code == 2
    assert said.err == "nexus-tui: context office needs the variable PASSWORD that is not set: export it first\n"


def test_the_dashboard_unlocks_locks_again_and_goes_to_another_context(user: User) -> None:
    with Screen([*user.command, "--context", "office"], user.environment) as screen:
        screen.shows("office · production", "READ-ONLY", "read-only")
        screen.type(*":unlock 2s look\r")
        screen.shows("UNLOCKED 0:0")
        screen.shows("office is locked again", "READ-ONLY")
        screen.type(*":context prod\r")
        screen.shows("prod · production", "READ-ONLY")
        screen.type(*":unlock 15m look\r")
        screen.shows("not unlocked")
        screen.type(*":q\r")
        assert screen.ended() == 0
