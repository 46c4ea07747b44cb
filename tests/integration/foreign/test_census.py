"""Each change that an operator can make on a stranger's application: what it leaves there, and that nothing breaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from celery_nexus.actions import messages, queues, runs
from celery_nexus.actions.base import Action, perform
from celery_nexus.actions.footprint import RemoveFootprint
from celery_nexus.actions.submit import Submit
from celery_nexus.actions.workers import consumers, events, limits, pools
from celery_nexus.diagnosis.watch import read_queues
from celery_nexus.errors import SourceError
from celery_nexus.rows.catalog import Submitted
from celery_nexus.rows.selection import Selection
from tests.harness.waiting import wait_until
from tests.integration.foreign.conftest import Shop

AUDIT, TRASH, PAUSED = "nexus:audit", "nexus:trash", "nexus:paused"
HERS = {
    "_kombu.binding.third",
    "_kombu.binding_permanent.third",
    "celery",
    "celery\x06\x163",
    "celery\x06\x166",
    "celery\x06\x169",
    "unacked",
    "unacked_index",
}


@pytest.fixture(scope="module")
def stock(open_shop: Callable[..., Shop]) -> Shop:
    made = open_shop({"result_backend": None}, "-P", "prefork")
    made.start()
    wait_until(lambda: made.is_ready, "its worker is ready")
    return made


@pytest.fixture
def her(stock: Shop) -> Shop:
    """Her application with nothing of ours in it, her worker busy with another thing and nine messages waiting."""
    ours = [key for key in stock.census() if key.startswith("nexus")]
    if ours:
        stock.redis.delete(*ours)
    for queue in ("celery", "third"):
        stock.app.control.cancel_consumer(queue, [stock.name], reply=True, timeout=5)
    wait_until(lambda: not waits_at_a_list(stock), "her worker waits at no list any more")
    stock.redis.delete("celery", "celery\x06\x163", "celery\x06\x166", "celery\x06\x169")
    return stock


@pytest.fixture
def at_work(her: Shop) -> Shop:
    """Her application with a worker that was started anew: a stock one may stay deaf when its last queue comes back."""
    assert her.complaints() == []
    her.stop()
    her.log.unlink()
    her.start()
    wait_until(lambda: her.is_ready, "her worker is ready again")
    return her


def waits_at_a_list(shop: Shop) -> bool:
    rows = [row for row in shop.redis.client_list() if row["db"] == str(shop.database)]
    return any("b" in row["flags"] for row in rows) or bool(shop.redis.exists("unacked"))


def view(shop: Shop) -> Any:
    """What a start of Nexus sees."""
    sources = shop.sources()
    sources.control.workers()
    rows = sources.broker.queues(sources.control.consumers())
    return (
        sources.broker.layouts,
        [(row.name, row.by_priority, row.declared) for row in rows],
        [row.name for row in sources.control.workers()],
    )


def revoke(shop: Shop, sent: list[str]) -> Action:
    return runs.Revoke((sent[0],))


def revoke_and_terminate(shop: Shop, sent: list[str]) -> Action:
    return runs.Revoke((sent[0],), terminate=True)


def reprioritise(shop: Shop, sent: list[str]) -> Action:
    return messages.ChangePriority((sent[1],), 6)


def move(shop: Shop, sent: list[str]) -> Action:
    return messages.MoveMessages((sent[1],), "other")


def delete(shop: Shop, sent: list[str]) -> Action:
    return messages.DeleteMessages((sent[1],))


def delete_all(shop: Shop, sent: list[str]) -> Action:
    return messages.DeleteMessages((), within=Selection("celery", ""))


def purge(shop: Shop, sent: list[str]) -> Action:
    return queues.PurgeQueue("celery")


def pause(shop: Shop, sent: list[str]) -> Action:
    return queues.PauseQueue("celery")


def submit(shop: Shop, sent: list[str]) -> Action:
    return Submit("shop.add", [3, 4], queue="celery")


def limit_rate(shop: Shop, sent: list[str]) -> Action:
    return limits.RateLimit((), "shop.nap", "10/m")


def enable_events(shop: Shop, sent: list[str]) -> Action:
    return events.EnableEvents()


def disable_events(shop: Shop, sent: list[str]) -> Action:
    return events.DisableEvents()


def add_consumer(shop: Shop, sent: list[str]) -> Action:
    return consumers.AddConsumer((), "third")


def cancel_consumer(shop: Shop, sent: list[str]) -> Action:
    return consumers.CancelConsumer((), "third")


def grow(shop: Shop, sent: list[str]) -> Action:
    return pools.GrowPool(())


def shrink(shop: Shop, sent: list[str]) -> Action:
    return pools.ShrinkPool(())


CHANGES: dict[Callable[[Shop, list[str]], Action], set[str]] = {
    revoke: {AUDIT},
    revoke_and_terminate: {AUDIT},
    reprioritise: {AUDIT, TRASH, "nexus:trash:*"},
    move: {AUDIT, TRASH, "nexus:trash:*"},
    delete: {AUDIT, TRASH, "nexus:trash:*"},
    delete_all: {AUDIT, TRASH, "nexus:trash:*"},
    purge: {AUDIT, TRASH, "nexus:trash:*"},
    pause: {AUDIT, TRASH, PAUSED},
    submit: {AUDIT},
    limit_rate: {AUDIT},
    enable_events: {AUDIT},
    disable_events: {AUDIT},
    add_consumer: {AUDIT},
    cancel_consumer: {AUDIT},
    grow: {AUDIT},
    shrink: {AUDIT},
}


def ours(shop: Shop) -> set[str]:
    found = {key for key in shop.census() if key.startswith("nexus")}
    return {"nexus:trash:*" if key.startswith("nexus:trash:") else key for key in found}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_change_leaves_what_was_asked_for_and_nothing_else(
    her: Shop, change: Callable[[Shop, list[str]], Action]
) -> None:
    sent = [her.send(priority=0) for _ in range(3)]
    for queue in ("other", "third"):
        her.send(queue=queue)
    her.redis.delete("third")
    before, complaints, seen = her.census(), her.complaints(), view(her)
    assert her.census() == before, "looking changes nothing"
    sources = her.sources()
    outcome = perform(change(her, sent), sources)
    assert outcome.done, outcome.message
    assert ours(her) == CHANGES[change]
    assert {key for key in her.census() - before if not key.startswith("nexus")} <= HERS
    assert all(her.redis.ttl(key) > 0 for key in her.census() if key.startswith("nexus")), "what stays expires"
    layouts, rows, names = view(her)
    assert (layouts, [row[0] for row in rows], names) == (seen[0], [row[0] for row in seen[1]], seen[2])
    assert her.complaints() == complaints
    listed = {row.key for row in her.sources().broker.footprint()}
    assert listed == {key for key in her.census() if key.startswith("nexus")}
    assert perform(RemoveFootprint(), her.sources()).done
    assert ours(her) == set()


def test_all_of_it_is_taken_back_and_forgotten(her: Shop) -> None:
    before = [her.send(priority=priority) for priority in (0, 3, 6)]
    sources = her.sources()
    perform(queues.PurgeQueue("celery"), sources)
    assert perform(queues.Undo(), her.sources()).done
    assert [row.id for row in her.sources().broker.messages("celery")] == before
    perform(queues.PauseQueue("celery"), sources)
    perform(queues.ResumeQueue("celery"), sources)
    assert ours(her) == {AUDIT, TRASH}


def test_her_own_clients_and_workers_go_on_after_all_of_it(at_work: Shop) -> None:
    her = at_work
    done = len(her.runs())
    her.send(args=(20, 22))
    perform(Submit("shop.add", [5, 6], queue="celery", priority=3), her.sources())
    wait_until(lambda: sorted(her.runs()[done:]) == ["add 20 22", "add 5 6"], "both ran")
    assert her.complaints() == []


def test_what_can_not_be_kept_by_her_workers_is_refused_before_it_is_sent(her: Shop) -> None:
    from celery_nexus.errors import Refused

    with pytest.raises(Refused, match="forget orders when they restart"):
        perform(limits.RateLimit((), "shop.nap", "10/m", remember=True), her.sources())
    assert ours(her) == set()


def test_an_end_that_can_not_be_seen_is_not_waited_for(her: Shop) -> None:
    with pytest.raises(SourceError, match=r"a-run was queued; its end can't be waited for: .* \(no result backend\)"):
        her.sources().catalog.wait(Submitted("a-run", "shop.add", "celery", None))


def test_messages_that_no_worker_takes_are_a_trouble(her: Shop) -> None:
    her.send(queue="attic")
    rows = {row.name: row for row in read_queues(her.sources())}
    her.redis.delete("attic", "_kombu.binding.attic", "_kombu.binding_permanent.attic")
    assert rows["attic"].verdict == "no consumer"
    assert rows["attic"].reason.startswith("1 wait in attic, the oldest for ")


def test_letting_a_delayed_run_begin_now_is_refused_and_leaves_it_where_it_is(at_work: Shop) -> None:
    her = at_work
    run_id = her.send(args=(90, 91), countdown=3600)
    wait_until(lambda: any(run_id.encode() in raw for raw in her.redis.hvals("unacked")), "her worker holds it")
    before, complaints = her.census(), her.complaints()
    outcome = perform(messages.ChangeTime((run_id,), None), her.sources())
    assert not outcome.done
    assert her.census() - before <= {AUDIT}
    assert any(run_id.encode() in raw for raw in her.redis.hvals("unacked"))
    assert her.complaints() == complaints
    perform(runs.Revoke((run_id,)), her.sources())


def test_a_worker_that_is_shut_down_leaves_no_key_of_ours_that_stays(stock: Shop) -> None:
    before = stock.census()
    assert perform(consumers.ShutdownWorker((stock.name,)), stock.sources()).done
    stock.wait()
    assert {key for key in stock.census() - before if key.startswith("nexus")} <= {AUDIT}
    assert stock.redis.ttl(AUDIT) > 0
    assert stock.complaints() == []
