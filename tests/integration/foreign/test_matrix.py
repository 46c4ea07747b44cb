"""Layouts of other people's applications, each with a stock worker on one real Redis.

What is true is counted from Redis itself and read from a log of what ran. No two layouts share a database, except two
applications with prefixes; all share the server's channels.
"""

from __future__ import annotations

import json
import os
import time
from bisect import bisect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib.util import find_spec
from typing import Any, cast

import pytest

from celery_nexus.actions.again import RunAgain
from celery_nexus.actions.base import perform
from celery_nexus.actions.runs import Revoke
from celery_nexus.actions.submit import Submit
from celery_nexus.errors import Invalid
from celery_nexus.rows.broker import QueueStats
from celery_nexus.sources import Sources
from tests.harness.waiting import wait_until
from tests.integration.foreign.conftest import Shop

pytestmark = pytest.mark.timeout(240)

PRIORITIES = (0, 3, 5, 9)
"""Of the messages that wait in a queue that nobody consumes, behind one that was published before its worker came."""

DUE_S = 3600
LONG_S = 600.0


def transport(**options: Any) -> dict[str, Any]:
    return {"broker_transport_options": options}


def written_as(kind: str) -> dict[str, Any]:
    names = ("task_serializer", "result_serializer")
    return dict.fromkeys(names, kind) | {"accept_content": [kind], "result_accept_content": [kind]}


@dataclass(frozen=True)
class Layout:
    """One layout.

    Attributes:
        conf: Settings of the application.
        options: Words of its worker's command.
        queue: The queue that its worker consumes.
        later: A queue that nobody consumes.
        takes_control: Whether its worker takes remote control.
        is_late: Whether it starts only when somebody looks already.
        neighbour: Name of the layout whose database it shares.
        rules: Of the ACL user with which we come.
        is_read: Whether the answers of its worker can be read here.
        counts_delayed: Whether Redis can tell which messages wait for their time: with protocol 1 a pickle says it.
    """

    conf: dict[str, Any] = field(default_factory=dict[str, Any])
    options: tuple[str, ...] = ()
    queue: str = "celery"
    later: str = "later"
    takes_control: bool = True
    is_late: bool = False
    neighbour: str = ""
    rules: str = ""
    is_read: bool = True
    counts_delayed: bool = True


SOLO, PREFORK = ("-P", "solo"), ("-P", "prefork")
CYRILLIC = {
    "queues": [["заказы", "магазин", "topic", "заказ.#"]],
    "task_default_queue": "заказы",
    "task_default_exchange": "магазин",
    "task_default_exchange_type": "topic",
    "task_default_routing_key": "заказ.новый",
}

LAYOUTS = {
    "stock": Layout({"result_backend": None}, PREFORK),
    "every-step": Layout(
        transport(global_keyprefix="shop:", priority_steps=list(range(10)), queue_order_strategy="priority")
        | {"result_backend": "her own", "task_default_priority": 5}
    ),
    "separator": Layout(transport(sep="--", priority_steps=[0, 5]) | {"task_protocol": 1}, SOLO),
    "cyrillic": Layout(CYRILLIC | {"timezone": "Asia/Shanghai"}, queue="заказы", later="позже"),
    "exchanges": Layout(
        transport(fanout_prefix=False)
        | {"control_exchange": "lenkung", "event_exchange": "ereignisse", "timezone": "America/New_York"},
        is_late=True,
    ),
    "msgpack": Layout(transport(fanout_prefix="/shop.", global_keyprefix="p.") | written_as("msgpack")),
    "yaml": Layout(written_as("yaml") | {"enable_utc": False, "timezone": "America/New_York"}, is_read=False),
    "pickle": Layout(
        transport(unacked_key="taken", unacked_index_key="taken_index")
        | written_as("pickle")
        | {"task_protocol": 1, "result_backend": "her own"},
        counts_delayed=False,
    ),
    "no-control": Layout({"worker_enable_remote_control": False, "result_backend": "rpc"}, takes_control=False),
    "own-fanout": Layout(transport(fanout_prefix="/shop.", fanout_patterns=False) | {"result_backend": "rpc"}, PREFORK),
    "with-number": Layout(
        transport(fanout_prefix="/shop-{db}.", sep=":", priority_steps=list(range(10)), global_keyprefix="{x}-"),
        is_late=True,
    ),
    "few-rights": Layout(rules="~* &* +@all -@admin -@dangerous"),
    "left": Layout(transport(global_keyprefix="left:")),
    "right": Layout(transport(global_keyprefix="right:", sep="|", fanout_prefix=False), neighbour="left"),
}
for needed, module in (("msgpack", "msgpack"), ("yaml", "yaml")):
    if "CI" not in os.environ and find_spec(module) is None:  # an environment from before these were needed
        del LAYOUTS[needed]

LATE = [name for name, layout in LAYOUTS.items() if layout.is_late]


@dataclass
class Visit:
    """Somebody who looks at one of them.

    Attributes:
        delayed: Ids of the runs that its worker holds before their time: the first is revoked, the other is not.
    """

    layout: Layout
    shop: Shop
    sources: Sources
    delayed: list[str] = field(default_factory=list[str])
    due_at: datetime | None = None

    @property
    def rows(self) -> dict[str, QueueStats]:
        self.sources.control.workers()
        return {row.name: row for row in self.sources.broker.queues(self.sources.control.consumers())}

    def again(self) -> Sources:
        return self.shop.sources(prefix=self.sources.prefix)

    def by_priority(self, queue: str) -> tuple[int, ...]:
        """Count a queue's messages as Redis has them."""
        counts = [0] * 10
        for step in self.shop.steps:
            counts[step] = self.shop.count(queue, step)
        return tuple(counts)

    def taken(self) -> list[Any]:
        """Read what workers took and have not acknowledged, as Redis has it."""
        return [json.loads(raw)[0] for raw in self.shop.redis.hvals(self.shop.unacked)]


def fill(visit: Visit) -> None:
    """Let her own client publish: what waits, what waits for its time, and something long that runs."""
    shop, layout = visit.shop, visit.layout
    for number, priority in enumerate(PRIORITIES, 1):
        shop.send(args=(number, priority), queue=layout.later, priority=priority)
    visit.due_at = datetime.now().astimezone() + timedelta(seconds=DUE_S)
    visit.delayed = [shop.send(args=(70, number), eta=visit.due_at) for number in range(2)]
    if SOLO[1] not in layout.options:
        shop.send("shop.nap", (LONG_S,))


def settle(visit: Visit) -> None:
    """Wait until her worker holds what it was sent."""
    visit.sources.control.workers()
    if SOLO[1] not in visit.layout.options:
        wait_until(lambda: "nap 600" in visit.shop.runs(), "the long one runs")
    held = 2 if SOLO[1] in visit.layout.options else 3
    wait_until(lambda: len(visit.taken()) == held, "her worker holds them")


@pytest.fixture(scope="module")
def visits(open_shop: Callable[..., Shop]) -> Iterator[dict[str, Visit]]:
    """All of them at work, and somebody who looks at each."""
    shops: dict[str, Shop] = {}
    for name, layout in LAYOUTS.items():
        near = shops.get(layout.neighbour)
        user = "visitor" if layout.rules else ""
        options = ("-Q", layout.queue, "-E", *layout.options)
        conf = {"task_acks_late": True, **layout.conf}
        shop = open_shop(conf, *options, database=near and near.database, node="v" if near else "w", user=user)
        if layout.rules:
            shop.redis.execute_command("ACL", "SETUSER", user, "on", ">secret", *layout.rules.split())
        shops[name] = shop
    visits: dict[str, Visit] = {}
    try:
        open_all(shops, visits)
        yield {name: visits[name] for name in LAYOUTS}
    finally:
        for visit in visits.values():
            cast("Any", visit.sources.recording).stop()
            visit.sources.history.close()


def open_all(shops: dict[str, Shop], visits: dict[str, Visit]) -> None:
    """Start every worker, and look at each application: at some before they start."""
    for name in LATE:
        visits[name] = come(name, shops[name])
        assert visits[name].rows == {}
    for shop in shops.values():
        shop.start()
    for name, shop in shops.items():
        shop.send(args=(0, 0), queue=LAYOUTS[name].later)
        wait_until(lambda shop=shop: shop.is_ready, f"the worker of {name} is ready")
        if name not in LATE:
            visits[name] = come(name, shop)
    for name, visit in visits.items():
        wait_until(visit.sources.control.workers, f"the worker of {name} is seen")
        wait_until(lambda visit=visit: _is_recorded(visit), f"{name} is recorded")
        fill(visit)
    for visit in visits.values():
        settle(visit)


def come(name: str, shop: Shop) -> Visit:
    """Look at an application as the dashboard does."""
    sources = shop.sources(prefix=shop.prefix if name in ("left", "right") else None)
    cast("Any", sources.recording).start()
    return Visit(LAYOUTS[name], shop, sources)


def _is_recorded(visit: Visit) -> bool:
    """Send something, and see whether the recorder listens already where her worker speaks."""
    visit.shop.send(args=(0, 0))
    time.sleep(0.3)
    return visit.sources.history.count() > 0


@pytest.fixture(params=LAYOUTS)
def visit(request: pytest.FixtureRequest, visits: dict[str, Visit]) -> Iterator[Visit]:
    made = visits[request.param]
    yield made
    assert made.shop.complaints() == []


def test_queues_are_counted_as_redis_has_them(visit: Visit) -> None:
    wait_until(lambda: visit.rows.keys() >= {visit.layout.queue, visit.layout.later}, "both queues are seen")
    rows = visit.rows
    assert rows.keys() == {visit.layout.queue, visit.layout.later}
    assert rows[visit.layout.later].by_priority == visit.by_priority(visit.layout.later)
    assert sum(visit.by_priority(visit.layout.later)) == 1 + len(PRIORITIES)
    assert rows[visit.layout.queue].waiting == 0


def test_what_its_worker_took_is_counted_or_unknown(visit: Visit) -> None:
    delayed = len(visit.delayed)
    taken = len(visit.taken()) - delayed
    row = visit.rows[visit.layout.queue]
    assert (row.in_flight, row.delayed) == ((taken, delayed) if visit.layout.counts_delayed else (None, None))


def test_messages_are_read_in_run_order(visit: Visit) -> None:
    steps = visit.shop.steps
    first = steps[bisect(steps, visit.layout.conf.get("task_default_priority", 0)) - 1]
    sent = enumerate([first, *(steps[bisect(steps, priority) - 1] for priority in PRIORITIES)])
    order = sorted(sent, key=lambda pair: pair[1])
    found = visit.sources.broker.messages(visit.layout.later)
    assert [row.priority for row in found] == [priority for _, priority in order]
    if visit.layout.is_read:
        assert [row.args and row.args[0] for row in found] == [number for number, _ in order]
    assert [row.task for row in found] == ["shop.add"] * (1 + len(PRIORITIES))


def test_its_worker_and_no_other_is_listed(visit: Visit) -> None:
    rows = visit.sources.control.workers()
    assert [row.name for row in rows] == [visit.shop.name]
    if not visit.layout.takes_control:
        assert rows[0].verdict in ("busy", "healthy")
        assert rows[0].reason == "sends heartbeats, and takes no remote control"
        assert visit.rows[visit.layout.queue].consumers is None
    elif visit.layout.is_read:
        assert (rows[0].verdict in ("busy", "healthy"), rows[0].queues) == (True, (visit.layout.queue,))
    else:
        assert "answers, but" in rows[0].reason


def test_times_have_a_zone(visit: Visit) -> None:
    held = {row.id: row.due_at for row in visit.sources.broker.list_held() if row.due_at}
    assert held.keys() == set(visit.delayed)
    assert all(abs((due - visit.due_at).total_seconds()) < 1 for due in held.values() if visit.due_at)


def test_what_is_submitted_runs_on_her_worker(visit: Visit) -> None:
    before = visit.shop.count(visit.layout.later)
    outcome = perform(Submit("shop.add", [51, 52], queue=visit.layout.queue, priority=3), visit.sources)
    assert outcome.done, outcome.message
    wait_until(lambda: "add 51 52" in visit.shop.runs(), "it ran")
    wait_until(lambda: visit.rows[visit.layout.queue].waiting == 0, "nothing is stranded")
    assert visit.shop.count(visit.layout.later) == before


def test_what_was_recorded_runs_again(visit: Visit) -> None:
    run_id = visit.shop.send(args=(61, 62))
    wait_until(lambda: _state(visit, run_id) == "SUCCESS", "its end is recorded")
    asked = perform(RunAgain((run_id,)), visit.sources).message
    if visit.layout.conf.get("task_protocol") == 1:  # whose events tell no arguments
        assert "its arguments are not known: submit it anew" in asked
        return
    assert "give --queue" in asked, "events tell no queue"
    priority = 0 if "--priority" in asked else None
    before = visit.shop.census()
    outcome = perform(RunAgain((run_id,), queue=visit.layout.queue, priority=priority), visit.sources)
    assert outcome.done, outcome.message
    wait_until(lambda: visit.shop.runs().count("add 61 62") == 2, "it ran again")
    ours = {key for key in visit.shop.census() - before if "celery-task-meta-" not in key}
    assert ours <= {f"{visit.shop.prefix}nexus:audit", visit.shop.unacked}


def _state(visit: Visit, run_id: str) -> str | None:
    return next((run.state for run in visit.sources.history.runs(limit=200) if run.id == run_id), None)


def test_only_its_own_runs_are_recorded(visit: Visit, visits: dict[str, Visit]) -> None:
    others = {run_id for other in visits.values() if other is not visit for run_id in other.delayed}
    recorded = {run.id for run in visit.sources.history.runs(limit=200)}
    assert recorded & set(visit.delayed) == set(visit.delayed)
    assert recorded & others == set()


def test_what_waits_is_revoked_and_never_runs(visit: Visit) -> None:
    before = sum(visit.by_priority(visit.layout.later))
    run_id = visit.shop.send(args=(81, 82), queue=visit.layout.later)
    outcome = perform(Revoke((run_id,)), visit.sources)
    assert outcome.done, outcome.message
    assert sum(visit.by_priority(visit.layout.later)) == before


def test_what_her_worker_holds_is_revoked(visit: Visit) -> None:
    outcome = perform(Revoke((visit.delayed[0],)), visit.sources)
    if not visit.layout.takes_control:
        assert (outcome.done, outcome.message.partition(": ")[2].partition(":")[0]) == (False, "not revoked")
        return
    assert outcome.done, outcome.message
    told = visit.shop.app.control.inspect([visit.shop.name], timeout=5)
    assert visit.delayed[0] in told.revoked()[visit.shop.name]


def test_a_second_look_sees_the_same_and_changes_nothing(visit: Visit) -> None:
    before, again = visit.shop.census(), visit.again()
    later = Visit(visit.layout, visit.shop, again)
    assert [row.name for row in again.control.workers()] == [visit.shop.name]
    seen, now = visit.rows, later.rows
    assert {name: row.by_priority for name, row in now.items()} == {name: row.by_priority for name, row in seen.items()}
    assert again.broker.layouts == visit.sources.broker.layouts
    assert visit.shop.census() == before


def test_two_applications_in_one_database_are_both_shown_and_one_is_chosen(visits: dict[str, Visit]) -> None:
    left, right = visits["left"].shop, visits["right"].shop
    sources = left.sources()
    names = wait_until(lambda: _if_two([row.name for row in sources.control.workers()]), "both workers are seen")
    assert names == [f"left:{left.name}", f"right:{right.name}"]
    rows = {row.name for row in sources.broker.queues(sources.control.consumers())}
    assert rows == {"left:celery", "left:later", "right:celery", "right:later"}
    with pytest.raises(Invalid, match="--prefix left:, --prefix right:"):
        perform(Submit("shop.add", [1, 2], queue="celery"), sources)


def _if_two(names: list[str]) -> list[str]:
    return names if len(names) == 2 else []
