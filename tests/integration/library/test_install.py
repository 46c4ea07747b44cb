"""Applications that install the library: what they get, what it leaves alone, and the way in and back."""

from __future__ import annotations

import base64
import json
import os
import signal
import sqlite3
from collections import Counter
from typing import Any

import pytest

from celery_nexus.delivery import keys

LAYOUTS: dict[str, dict[str, Any]] = {
    "stock": {},
    "prefix, separator and steps": {"global_keyprefix": "eu:", "sep": ":", "priority_steps": [0, 5, 9]},
}

TWO_APPLICATIONS = """
import json, redis
from celery import Celery
from celery.worker.control import Panel
from kombu.transport import TRANSPORT_ALIASES
tables = dict(TRANSPORT_ALIASES), dict(Panel.data)
installed = Celery("one", broker=URL, set_as_current=False)
celery_nexus.install(installed)
plain = Celery("two", broker=URL, set_as_current=False)
for name, application in (("ours", installed), ("plain", plain)):
    application.send_task("t", queue=name)
raw = {name: [json.loads(item) for key in traces().scan_iter(name + "*") for item in traces().lrange(key, 0, -1)][0]
       for name in ("ours", "plain")}
print(json.dumps({
    "same tables": tables == (dict(TRANSPORT_ALIASES), dict(Panel.data)),
    "plain headers": sorted(name for name in raw["plain"]["headers"] if name.startswith("nexus")),
    "plain properties": sorted(name for name in raw["plain"]["properties"] if name.startswith("nexus")),
    "plain priority": raw["plain"]["properties"]["priority"],
    "our headers": sorted(name for name in raw["ours"]["headers"] if name.startswith("nexus")),
    "our priority": raw["ours"]["properties"]["priority"],
    "submitted": int(traces().hget("nexus:counters", "submitted")),
}))
"""


HELD = """
held = app.control.inspect(timeout=5, limit=1)
print(sum(len(found) for told in (held.active(), held.reserved()) for found in (told or {}).values()))
"""


def test_a_plain_application_beside_an_installed_one_stays_plain(shop: Any) -> None:
    found = json.loads(shop.call(TWO_APPLICATIONS, None))
    assert found == {
        "same tables": True,
        "plain headers": [],
        "plain properties": [],
        "plain priority": 0,
        "our headers": ["nexus_sent_at"],
        "our priority": 5,
        "submitted": 1,
    }


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_killed_workers_runs_are_run_and_recorded(shop: Any, layout: str) -> None:
    options = LAYOUTS[layout]
    shop.environment["SHOP_OPTIONS"] = json.dumps(options)
    home = {"home": str(shop.folder / "home")}
    shop.program("celery_nexus.history.recorder", install=home, log="recorder")
    worker = shop.worker(install=home)
    shop.call("for number in range(200): order.delay(number, 0.02)\nmail.delay(1)", home)
    shop.until(lambda: shop.client.hlen("done") > 40, "some are done")
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()
    shop.worker(install=home)
    shop.until(lambda: shop.client.hlen("done") == 201, "all are done")
    assert set(Counter(shop.done().values())) <= {1, 2}
    history = shop.folder / "home" / "history.db"
    counted = lambda: history.exists() and _succeeded(history)  # noqa: E731
    shop.until(lambda: counted() == 201, "all are in the history")
    prefix = options.get("global_keyprefix", "")
    ours = {key.decode() for key in shop.client.scan_iter("*") if b"nexus:" in key}
    assert all(key.startswith(prefix) for key in ours)
    assert f"{prefix}nexus:events" in ours


def _succeeded(history: Any) -> int:
    with sqlite3.connect(history) as connection:
        return int(connection.execute("SELECT count(*) FROM runs WHERE state = 'SUCCESS'").fetchone()[0])


@pytest.mark.parametrize("pool", ["threads", "solo"])
def test_other_pools_run_everything(shop: Any, pool: str) -> None:
    shop.environment["SHOP_NO_RESULTS"] = "1"
    shop.worker("-P", pool, install={})
    shop.call("for number in range(20): order.delay(number)", {})
    shop.until(lambda: shop.client.hlen("done") == 20, "all are done")
    assert set(shop.done().values()) == {1}


def test_history_alone_leaves_delivery_to_celery(shop: Any) -> None:
    parts = {"delivery": False, "orders": False, "priorities": False}
    shop.worker(install=parts)
    shop.call("order.delay(1)", parts)
    shop.until(lambda: shop.done() == {"1": 1}, "it is done")
    types = [json.loads(fields[b"d"])["type"] for _, fields in shop.client.xrange("nexus:events")]
    assert {"task-sent", "task-received", "task-started", "task-succeeded"} <= set(types)
    assert not shop.client.exists(keys.LEASES)


PUBLISH = "for number in range(%d, %d): order.apply_async((number, %s), countdown=%s)"


@pytest.mark.timeout(420)
def test_going_in_and_going_back_with_5000_waiting_100_delayed_and_50_running_loses_nothing(shop: Any) -> None:
    for first, last, seconds in ((0, 50, 2.0), (50, 550, 0.0), (550, 600, 2.0), (600, 5_100, 0.0)):
        shop.call(PUBLISH % (first, last, seconds, None), None)
    shop.call(PUBLISH % (10_000, 10_050, 0.0, 3600), None)
    with_50 = ("-c", "50", "--prefetch-multiplier", "1")
    plain = shop.worker(*with_50, install=None)
    shop.until(lambda: shop.client.hlen("started") >= 50, "50 run, and 5,000 wait")
    # Celery's own worker forgets to acknowledge what ends while it stops: it takes nothing new, and ends what it has.
    shop.call("app.control.cancel_consumer('orders', reply=True, timeout=5)", None)
    shop.until(lambda: shop.call(HELD, None) == "0\n", "only what is not due is held, in the worker's memory")
    shop.stop(plain)
    ours = shop.worker(*with_50, install={})
    shop.call(PUBLISH % (5_100, 5_600, 0.0, None), {})
    shop.call(PUBLISH % (20_000, 20_050, 0.0, 3600), {})
    shop.until(lambda: shop.client.hlen("started") >= 600, "50 run, and 5,000 wait")
    shop.until(lambda: shop.client.zcard(keys.key_of_delayed("orders")) == 100, "what is not due lies in the broker")
    shop.stop(ours)
    again = shop.program("celery_nexus.uninstall", install={}, log="uninstall")
    assert again.wait(60) == 0, shop.log("uninstall")
    assert "100 that are not due yet are back" in shop.log("uninstall")
    assert not list(shop.client.scan_iter("nexus:delayed:*"))
    everything = {*range(5_600), *range(10_000, 10_050), *range(20_000, 20_050)}
    assert waiting_orders(shop) + Counter(map(int, shop.done())) == dict.fromkeys(everything, 1)
    before = shop.client.hlen("done")
    shop.worker("-c", "4", install=None)
    shop.until(lambda: shop.client.hlen("done") > before + 100, "the plain worker goes on")
    assert {number: count for number, count in shop.done().items() if count != 1} == {}


def waiting_orders(shop: Any) -> Counter[int]:
    """The orders in the queue's lists."""
    raw = [item for key in shop.client.scan_iter("orders*") for item in shop.client.lrange(key, 0, -1)]
    return Counter(json.loads(base64.b64decode(json.loads(item)["body"]))[0][0] for item in raw)


def test_workers_that_run_are_named_before_anything_is_given_back(shop: Any) -> None:
    shop.worker(install={})
    tried = shop.program("celery_nexus.uninstall", install={}, log="uninstall")
    assert tried.wait(90) == 1
    assert "still running: w@shop" in shop.log("uninstall")


def test_a_broker_that_is_no_redis_is_said_once_and_the_application_goes_on(shop: Any) -> None:
    said = shop.call(
        "import logging, sys; logging.basicConfig(stream=sys.stdout)\n"
        "other = Celery('other', broker='amqp://localhost//', set_as_current=False)\n"
        "celery_nexus.install(other); other.conf.task_acks_late; print(other.connection().transport_cls)",
        None,
    )
    assert said.count("goes on without reliable delivery and history") == 1
    assert said.endswith("amqp\n")


def test_a_recorders_trouble_is_found_under_the_applications_prefix(shop: Any) -> None:
    shop.environment["SHOP_OPTIONS"] = json.dumps({"global_keyprefix": "eu:"})
    shop.client.set("eu:nexus:recorder:trouble", "the disk is full")
    code = "with celery_nexus.connect(app) as nexus: print(nexus.sources.broker.recorder_trouble())"
    assert shop.call(code, {}) == "the disk is full\n"


def test_the_first_look_at_a_queue_counts_what_workers_hold(shop: Any) -> None:
    shop.worker(install={})
    shop.call("for number in range(3): order.delay(number, 60)", {})
    shop.until(lambda: shop.client.hlen("started") == 2, "two run")
    code = (
        "with celery_nexus.connect(app) as nexus:\n"
        "    print([row.in_flight for row in nexus.queues() if row.name == 'orders'])"
    )
    assert shop.call(code, {}) == "[3]\n"


def test_early_acknowledgement_in_her_own_settings_is_said(shop: Any) -> None:
    said = shop.call(
        "import logging, sys; logging.basicConfig(stream=sys.stdout)\n"
        "early = Celery('early', broker=URL, set_as_current=False); early.conf.task_acks_late = False\n"
        "celery_nexus.install(early); print(early.conf.task_acks_late)",
        None,
    )
    assert said.count("task_acks_late is off") == 1
    assert said.endswith("False\n")
