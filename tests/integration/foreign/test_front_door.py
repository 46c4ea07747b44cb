"""A stranger's application that is opened by its code: -A, celery -A … nexus, and Celery's own variables."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.harness.commands import CommandResult, run_python
from tests.harness.places import BIN, ROOT
from tests.harness.programs import program
from tests.harness.servers import run_server
from tests.harness.waiting import wait_until
from tests.integration.foreign.conftest import Shop

CODE = """
from tests.integration.foreign import shop
app = shop.make({broker!r}, {conf!r})
"""
CONF: dict[str, Any] = {
    "result_backend": "her own",
    "task_routes": {"shop.nap": {"queue": "naps"}},
    "task_time_limit": 40,
    "broker_transport_options": {"global_keyprefix": "stall:", "priority_steps": [0, 5], "sep": ":"},
}


@dataclass
class Project:
    """Her project: a folder with a package ``stall``, and the shop that runs it."""

    folder: Path
    shop: Shop
    environment: dict[str, str]

    def run(self, *words: str, **variables: str) -> CommandResult:
        return run_python(*words, environment=self.environment | variables, folder=self.folder)

    def nexus(self, *words: str, **variables: str) -> CommandResult:
        return self.run(str(BIN / "nexus-tui"), *words, **variables)


@pytest.fixture(scope="module")
def project(server: Path, open_shop: Callable[..., Shop], tmp_path_factory: pytest.TempPathFactory) -> Project:
    shop = open_shop(CONF, "-Q", "celery,naps")
    folder = tmp_path_factory.mktemp("project")
    package = folder / "stall"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "celery.py").write_text(CODE.format(broker=shop.kombu, conf=shop.conf))
    plugin = folder / "plugin" / "front_door-1.dist-info"
    plugin.mkdir(parents=True)
    (plugin / "METADATA").write_text("Metadata-Version: 2.1\nName: front-door\nVersion: 1\n")
    (plugin / "entry_points.txt").write_text("[celery.commands]\nnexus = nexus_tui.celery_command:nexus\n")
    environment = {name: text for name, text in os.environ.items() if not name.startswith(("NEXUS_", "CELERY_"))}
    path = f"{ROOT}{os.pathsep}{plugin.parent}"
    more = {"PYTHONPATH": path, "NEXUS_HOME": str(server / "home"), "XDG_DATA_HOME": str(server / "data")}
    return Project(folder, shop, environment | more)


@pytest.mark.parametrize("name", ["stall", "stall.celery", "stall.celery:app"])
def test_her_queues_are_shown_before_anything_was_sent(project: Project, name: str) -> None:
    project.shop.redis.flushdb()
    found = project.nexus("-A", name, "queues", "--json")
    assert (found.code, [row["name"] for row in found.json]) == (0, ["celery"])
    assert project.shop.census() == set()


def test_forms_routes_and_limits_come_from_her_code(project: Project) -> None:
    rows = {row["name"]: row for row in project.nexus("submit", "--list", "--json", "-A", "stall").json}
    assert {name: rows[name]["queue"] for name in ("shop.add", "shop.nap")} == {
        "shop.add": "celery",
        "shop.nap": "naps",
    }
    nap = rows["shop.nap"]
    assert (nap["summary"], nap["time_limit_s"]) == ("Take some time.", 40)
    assert [(row["name"], row["kind"], row["required"]) for row in nap["parameters"]] == [("seconds", "number", True)]


def test_a_wrong_call_is_refused_and_nothing_is_written(project: Project) -> None:
    project.shop.redis.flushdb()
    refused = project.nexus("submit", "shop.add", "--args", "[1]", "-A", "stall")
    assert (refused.code, refused.err.splitlines()) == (
        2,
        ["nexus-tui: shop.add: missing a required argument: 'other'; it takes (one, other)"],
    )
    assert project.shop.census() == set()


def test_what_is_submitted_is_as_her_own_clients_publish_it_and_runs(project: Project) -> None:
    shop = project.shop
    shop.redis.flushdb()
    answer = project.nexus("submit", "shop.nap", "--args", "[0]", "--priority", "7", "--json", "-A", "stall").json
    assert (answer["queue"], shop.count("naps", 5)) == ("naps", 1)
    shop.start()
    try:
        wait_until(lambda: "nap 0" in shop.runs(), "it ran")
        found = project.nexus("submit", "shop.add", "--args", "[2, 3]", "--wait", "--timeout", "30", "-A", "stall")
        assert (found.code, "5" in found.out) == (0, True)
        assert shop.complaints() == []
    finally:
        shop.stop()
    ours = {key for key in shop.census() if "nexus" in key}
    assert ours == {"stall:nexus:audit"}, "the log of what was asked for, which expires"


def test_celerys_own_command_opens_it(project: Project) -> None:
    project.shop.redis.flushdb()
    found = project.run(str(BIN / "celery"), "-A", "stall", "nexus", "queues", "--json")
    assert (found.code, [row["name"] for row in found.json]) == (0, ["celery"]), found.err
    sent = project.run(str(BIN / "celery"), "-A", "stall", "nexus", "submit", "shop.nap", "--args", "[1]")
    assert "follow it: nexus-tui task " in sent.out
    assert sent.out.rstrip().endswith(" -A stall")
    wrong = project.run(str(BIN / "celery"), "-A", "stall", "nexus", "queues", "gone")
    assert (wrong.code, wrong.err) == (4, "nexus-tui: no queue 'gone'; there are celery, naps\n")


def test_celerys_variable_names_the_broker(project: Project) -> None:
    project.shop.redis.flushdb()
    project.shop.send()
    found = project.nexus("queues", "--json", CELERY_BROKER_URL=project.shop.kombu)
    assert [(row["name"], row["waiting"]) for row in found.json] == [("celery", 1)]


def test_a_broker_that_is_named_comes_before_the_applications_own(project: Project, open_shop: Any) -> None:
    project.shop.redis.flushdb()
    other = open_shop(CONF)
    other.redis.flushdb()
    found = project.nexus("-A", "stall", "-b", other.kombu, "submit", "shop.add", "--args", "[1, 2]", "--json")
    assert (found.code, other.count("celery"), project.shop.census()) == (0, 1, set())


def test_results_elsewhere_are_found_where_celerys_variable_says(
    open_shop: Callable[..., Shop], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, results = open_shop(), open_shop()
    results.redis.set("celery-task-meta-r1", json.dumps({"status": "SUCCESS", "result": 3}))
    assert shop.sources().control.result("r1") == ("PENDING", None)
    monkeypatch.setenv("CELERY_RESULT_BACKEND", results.kombu)
    assert shop.sources().control.result("r1") == ("SUCCESS", 3)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("-A", "gone", "queues"), 2, "-A gone: there is no module 'gone' in "),
        (("-A", "stall", "queues", "--prefix", "x"), 2, "--prefix is for a broker alone"),
        (("-b", "amqp://guest:secret@h//", "queues"), 2, "scheme 'amqp' is not Redis: this is RabbitMQ: "),
        (("-b", "redis-cluster://h", "queues"), 2, "this is a Redis Cluster, which Celery can't use as a broker: "),
        (("-A", "stall", "doctor", "--balance"), 2, "a stock application does not count what it publishes"),
    ],
)
def test_what_can_not_be_opened_is_said_in_one_line(
    project: Project, words: tuple[str, ...], code: int, said: str
) -> None:
    answer = project.nexus(*words)
    assert (answer.code, answer.out, len(answer.err.splitlines())) == (code, "", 1)
    assert said in answer.err
    assert "secret" not in answer.err


def test_an_operator_who_may_only_read_is_refused_each_change_with_the_reason(
    project: Project, open_shop: Callable[..., Shop]
) -> None:
    shop = open_shop()
    shop.send()
    rules = ["on", ">look", "~*", "&*", "+@read", "+@connection", "+info", "+time", "+publish", "+subscribe"]
    shop.redis.execute_command("ACL", "SETUSER", "looker", *rules)
    url = f"unix://looker:look@{shop.socket}?db={shop.database}"
    found = project.nexus("-b", url, "queues", "--json")
    assert (found.code, [row["waiting"] for row in found.json]) == (0, [1]), found.err
    refused = project.nexus("-b", url, "purge", "celery", "--yes")
    assert (refused.code, shop.count("celery")) == (5, 1), refused.err
    assert "look@" not in refused.err
    assert "permission" in refused.err.lower()


def test_a_node_of_a_redis_cluster_is_refused_in_one_sentence(project: Project) -> None:
    with run_server("cluster-enabled yes", program=program("redis-server", "redis-server")) as node:
        answer = project.nexus("-b", f"unix://{node.socket}", "queues")
    assert (answer.code, len(answer.err.splitlines())) == (5, 1)
    assert "this is a Redis Cluster, which Celery can't use as a broker: one command reads lists of many" in answer.err
