"""``nexus-tui watch`` beside a stranger's broker, and the watch that a guardian keeps."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from celery_nexus.alerts.book import BookFile
from celery_nexus.delivery.guardian import FIRST_WATCH_S, AlertWatch
from tests.harness.commands import CommandResult, run_python
from tests.harness.processes import clean_environment, end
from tests.harness.servers import Server, run_server, start_server
from tests.harness.waiting import wait_until

NEXUS = str(Path(sys.executable).parent / "nexus-tui")
BINDING = "mail\x06\x16\x06\x16mail"

RULES = """
[rule.no-consumer]
for = "0s"
[rule.unreachable]
for = "0s"
[channel.file]
type = "command"
command = ["/bin/sh", "-c", "cat >> {told}"]
"""


@dataclass
class Place:
    """A broker of a stranger, and the files of one operator."""

    server: Server
    folder: Path

    @property
    def told(self) -> list[tuple[str, str, str]]:
        """Event, rule and first subject of everything that the channel was told."""
        path = self.folder / "told"
        rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [(row["event"], row["rule"], row["alerts"][0]["subject"]) for row in rows]

    @property
    def books(self) -> list[BookFile]:
        """What watches of this operator remember."""
        return [BookFile(path.with_suffix(".json")) for path in self.folder.rglob("*.alerts.lock")]

    def publish(self) -> None:
        """Put a message into a queue that nobody takes from."""
        body = {"headers": {"task": "shop.add", "id": "1"}, "properties": {}, "body": ""}
        self.server.client.sadd("_kombu.binding.mail", BINDING)
        self.server.client.lpush("mail", json.dumps(body))

    def words(self, *words: str) -> list[str]:
        return [NEXUS, "-b", f"redis+socket://{self.server.socket}", *words]

    def environment(self) -> dict[str, str]:
        return clean_environment(XDG_DATA_HOME=str(self.folder / "data"), XDG_CONFIG_HOME=str(self.folder / "config"))

    def run(self, *words: str) -> CommandResult:
        return run_python(*self.words(*words), environment=self.environment(), timeout_s=90)


@pytest.fixture(name="place")
def make_place(tmp_path: Path) -> Iterator[Place]:
    with run_server() as server:
        place = Place(server, tmp_path)
        (tmp_path / "config" / "nexus").mkdir(parents=True)
        (tmp_path / "config" / "nexus" / "alerts.toml").write_text(RULES.format(told=tmp_path / "told"))
        yield place


def json_of(result: CommandResult) -> Any:
    assert result.out, result.err
    return result.json


def test_one_look_for_cron_tells_each_event_once(place: Place) -> None:
    assert place.run("watch", "--once").code == 0
    place.publish()
    first = place.run("watch", "--once", "--json")
    assert (first.code, json_of(first)["raised"][0]["subject"]) == (2, "mail")
    assert place.run("watch", "--once").code == 2
    assert place.told == [("raised", "no-consumer", "mail")]
    report = json_of(place.run("alerts", "--json"))
    assert (report["rules"][0]["name"], report["rules"][0]["state"]) == ("no-consumer", "raised")
    place.server.client.delete("mail")
    assert place.run("watch", "--once").code == 0
    assert place.told == [("raised", "no-consumer", "mail"), ("cleared", "no-consumer", "mail")]


def test_a_silenced_rule_is_told_after_its_silence_and_both_are_audited(place: Place) -> None:
    assert place.run("alerts", "silence", "no-consumer", "2h", "a", "deploy", "--yes").code == 0
    place.publish()
    assert place.run("watch", "--once").code == 2
    assert place.told == []
    rule = json_of(place.run("alerts", "--json"))["rules"][0]
    assert (rule["state"], rule["silence"]["reason"]) == ("silenced", "a deploy")
    assert place.run("alerts", "unsilence", "no-consumer", "--yes").code == 0
    place.run("watch", "--once")
    assert place.told == [("raised", "no-consumer", "mail")]
    commands = [row["command"] for row in json_of(place.run("audit", "--json"))]
    assert commands == ["nexus-tui alerts unsilence no-consumer", "nexus-tui alerts silence no-consumer 2h a deploy"]


def test_a_watch_tells_a_broker_that_goes_and_comes_and_nobody_watches_beside_it(place: Place) -> None:
    log = place.folder / "log"
    with log.open("wb") as file:
        watch = subprocess.Popen(place.words("watch"), env=place.environment(), stdout=file, stderr=file)
    try:
        wait_until(lambda: "watching" in log.read_text(), log.read_text)
        wait_until(lambda: any(book.is_held() for book in place.books), "it watches")
        second = place.run("watch")
        assert (second.code, "watches this application already" in second.err) == (5, True)
        end(place.server.process)
        wait_until(lambda: ("raised", "unreachable", "broker") in place.told, log.read_text, 60)
        assert json_of(place.run("alerts", "--json"))["rules"][0]["name"] == "unreachable"
        again = start_server(place.server.folder)
        try:
            wait_until(lambda: ("cleared", "unreachable", "broker") in place.told, log.read_text, 60)
        finally:
            end(again)
        watch.send_signal(signal.SIGTERM)
        assert watch.wait(30) == 0
    finally:
        end(watch)
    assert place.told == [("raised", "unreachable", "broker"), ("cleared", "unreachable", "broker")]


def test_a_file_with_mistakes_is_refused_with_lines(place: Place) -> None:
    rules = place.folder / "mine.toml"
    rules.write_text('[rule.depth]\nabov = 3\n[channel.a]\ntype = "webhook"\n')
    refused = place.run("watch", "--rules", str(rules))
    assert refused.code == 2
    assert f"{rules}: line 2: [rule.depth] has a wrong key 'abov' (did you mean above?)" in refused.err
    assert f"{rules}: line 3: [channel.a] has no url" in refused.err


def test_a_channel_can_be_tried_and_an_unknown_one_is_named(place: Place) -> None:
    assert place.run("alerts", "test", "file").out == "✓ file took a trial message\n"
    assert place.told == [("test", "test", "a trial")]
    unknown = place.run("alerts", "test", "fil")
    assert (unknown.code, "(did you mean file?)" in unknown.err) == (4, True)


APPLICATION = """
from celery import Celery
import celery_nexus
app = Celery("shop", broker="redis+socket://{socket}")
celery_nexus.install(app, home="{home}")
"""


def test_a_guardian_keeps_a_watch_that_cannot_harm_it(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    home = place.folder / "home"
    home.mkdir(mode=0o700)
    (home / "alerts.toml").write_text(RULES.format(told=place.folder / "told"))
    (place.folder / "shop.py").write_text(APPLICATION.format(socket=place.server.socket, home=home))
    place.publish()
    for name, value in place.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(place.folder)
    clock = time.monotonic()
    watch = AlertWatch(["-A", "shop"], lambda: clock)
    try:
        watch.keep()
        assert watch.pid is None  # a stack that starts is left alone
        clock += FIRST_WATCH_S
        watch.keep()
        wait_until(lambda: place.told == [("raised", "no-consumer", "mail")], lambda: str(place.told), 60)
        book = BookFile(home / "history.alerts.json")
        wait_until(lambda: not book.read().deliveries, "it is remembered")
        assert watch.pid is not None
        first = watch.pid
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: watch.keep() or watch.pid is None, "its end is noticed")
        clock += 31
        watch.keep()
        assert watch.pid not in (None, first)
        place.server.client.delete("mail")
        wait_until(lambda: len(place.told) == 2, lambda: str(place.told), 60)
    finally:
        watch.stop()
    assert place.told == [("raised", "no-consumer", "mail"), ("cleared", "no-consumer", "mail")]
