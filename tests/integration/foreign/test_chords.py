"""A stranger's chord, one part of which is revoked: it ends as with Celery's own revoke."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from celery import chord

from celery_nexus.actions.base import perform
from celery_nexus.actions.runs import Revoke
from celery_nexus.rows.selection import Selection
from tests.harness.waiting import wait_until
from tests.integration.foreign.conftest import Shop

QUEUE = "parts"
NUMBERS = (10, 20, 30)


@pytest.fixture(scope="module", params=["json", "pickle"])
def stock(request: pytest.FixtureRequest, open_shop: Callable[..., Shop]) -> Shop:
    kind: str = request.param
    made = open_shop({"result_backend": "her own", "task_serializer": kind, "accept_content": ["json", kind]})
    made.start()
    wait_until(lambda: made.is_ready, "its worker is ready")
    return made


def begin(shop: Shop) -> Any:
    """Begin a chord whose parts wait in a queue that her worker does not take from yet."""
    shop.app.control.cancel_consumer(QUEUE, [shop.name], reply=True, timeout=5)
    shop.ran.unlink(missing_ok=True)
    tasks = shop.app.tasks
    body = tasks["shop.total"].s().on_error(tasks["shop.alarm"].s())
    return chord((tasks["shop.add"].s(number, 1).set(queue=QUEUE) for number in NUMBERS), body, app=shop.app)()


def end(shop: Shop, begun: Any) -> tuple[Any, ...]:
    """Let her worker take from the queue; what became of the chord, of its parts, and what ran."""
    shop.app.control.add_consumer(QUEUE, destination=[shop.name], reply=True, timeout=5)
    wait_until(begun.ready, "the chord has ended")
    wait_until(lambda: any(line.startswith("alarm") for line in shop.runs()), "its error was told")
    parts = [part.state for part in begun.parent.results]
    return begun.state, str(begun.result).partition(" raised ")[2], parts, sorted(shop.runs())


def by_celery(shop: Shop, part: str) -> None:
    shop.app.control.revoke(part, reply=True, timeout=5)


def by_id(shop: Shop, part: str) -> None:
    outcome = perform(Revoke((part,)), shop.sources())
    assert outcome.done, outcome.message
    assert "part of a chord" in outcome.message


def by_filter(shop: Shop, part: str) -> None:
    outcome = perform(Revoke((), within=Selection(QUEUE, f"id:{part}")), shop.sources())
    assert outcome.done, outcome.message
    assert "1 parts of chords" in outcome.message


@pytest.mark.parametrize("revoke", [by_id, by_filter])
def test_a_chord_with_a_revoked_part_ends_as_with_celerys_own_revoke(
    stock: Shop, revoke: Callable[[Shop, str], None]
) -> None:
    ends: list[tuple[Any, ...]] = []
    for way in (by_celery, revoke):
        begun = begin(stock)
        way(stock, begun.parent.results[1].id)
        ends.append(end(stock, begun))
    assert ends[1] == ends[0]
    assert ends[0][0] == "FAILURE"
    assert ends[0][2] == ["SUCCESS", "REVOKED", "SUCCESS"]


def test_a_part_that_no_worker_can_end_stays(open_shop: Callable[..., Shop]) -> None:
    shop = open_shop({"result_backend": "her own"})
    begun = begin(shop)
    outcome = perform(Revoke((begun.parent.results[0].id,)), shop.sources())
    assert not outcome.done
    assert "only a worker can end, and none answered" in outcome.message
    assert shop.count(QUEUE) == len(NUMBERS)


def test_who_waits_for_a_revoked_run_learns_it(stock: Shop) -> None:
    run_id = stock.send(args=(1, 2), queue="nobody")
    assert perform(Revoke((run_id,)), stock.sources()).done
    assert stock.app.AsyncResult(run_id).state == "REVOKED"
    assert stock.count("nobody") == 0


def test_a_result_that_only_her_workers_can_write_is_said(open_shop: Callable[..., Shop], tmp_path: Path) -> None:
    shop = open_shop({"result_backend": f"file://{tmp_path}"})
    shop.start()
    wait_until(lambda: shop.is_ready, "its worker is ready")
    outcome = perform(Revoke((shop.send(queue="nobody"),)), shop.sources())
    shop.stop()
    assert outcome.message.endswith("its result stays PENDING, as only her workers write results (file)")
    assert shop.count("nobody") == 0
