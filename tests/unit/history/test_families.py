"""The runs of a workflow are found from any of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from celery_nexus.canvas import encode_plan
from celery_nexus.history.query.families import read_family
from celery_nexus.history.query.history import History
from celery_nexus.history.store.store import Store
from celery_nexus.rows.workflows import Plan, Step

NOW = time.time() - 100


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "history.sqlite3")
    yield store
    store.close()


def sent(id_: str, place: int, **fields: Any) -> dict[str, Any]:
    told = {"type": "task-sent", "uuid": id_, "name": "shop.add", "queue": "q", "args": "[]", "kwargs": "{}"}
    return {**told, "timestamp": NOW + place, "hostname": "c", **fields}


def found(store: Store, run_id: str, limit: int = 100) -> list[str]:
    with History(store.path) as history:
        return [member.id for member in read_family(history, run_id, limit).members]


def test_a_chain_is_found_from_its_first_and_its_last_link(store: Store) -> None:
    store.write([
        sent("a", 0, root_id="a"), sent("b", 1, root_id="a", parent_id="a"), sent("c", 2, root_id="a", parent_id="b"),
        sent("other", 3, root_id="other"),
    ])  # fmt: skip
    assert found(store, "a") == found(store, "c") == ["a", "b", "c"]


def test_members_of_a_clients_group_are_found_by_their_group_and_what_they_published_by_their_roots(
    store: Store,
) -> None:
    store.write([
        sent("m0", 0, root_id="m0", group="g"), sent("m1", 1, root_id="m1", group="g"),
        sent("child", 2, root_id="m1", parent_id="m1"),
    ])  # fmt: skip
    assert found(store, "m0") == ["m0", "m1", "child"]


def test_a_body_that_the_guardian_called_is_found_by_the_plan(store: Store) -> None:
    plan = encode_plan(Plan(body=Step("task", "body", "shop.total")))
    store.write([sent("m0", 0, root_id="m0", group="g", ahead=plan), sent("body", 5, root_id="body")])
    with History(store.path) as history:
        family = read_family(history, "m0")
    assert [member.id for member in family.members] == ["m0", "body"]
    assert family.plans["m0"].body == Step("task", "body", "shop.total")


def test_a_workflow_of_more_runs_than_are_read_says_so(store: Store) -> None:
    store.write([sent(f"m{n}", n, root_id="m0") for n in range(20)])
    with History(store.path) as history:
        family = read_family(history, "m0", 10)
    assert (len(family.members), family.is_whole) == (10, False)


def test_errors_of_failed_runs_are_read(store: Store) -> None:
    failed = {"type": "task-failed", "uuid": "a", "timestamp": NOW + 2, "hostname": "w", "exception": "ValueError('x')"}
    store.write([sent("a", 0, root_id="a"), {**failed, "traceback": ""}])
    with History(store.path) as history:
        assert read_family(history, "a").errors == {"a": "ValueError: x"}


def test_an_id_that_nobody_knows_has_no_runs(store: Store) -> None:
    assert found(store, "nobody") == []
