"""Which starts count, and when a run is given up."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from celery_nexus.delivery.leases import starts


def told(*progress: Any) -> list[dict[str, Any]]:
    """Make starts that got so far."""
    return [{"worker": "w@x", "lost": "child", "progress": done} for done in progress]


@pytest.mark.parametrize(
    ("progress", "count"),
    [
        ((), 0),
        ((None,), 1),
        ((None, None, None), 3),
        ((0, 0, 0), 3),
        ((5, 5, 5), 3),
        ((5, 9, 12, 13), 1),
        ((5, 5, 6), 1),
        ((5, 6, 6, 4), 3),
        ((None, None, 1), 1),
        ((7, None, 7), 3),
        (("7", True, [1]), 2),
        ((float("inf"), float("nan"), None), 3),
    ],
)
def test_starts_in_a_row_that_got_no_further_are_counted(progress: tuple[Any, ...], count: int) -> None:
    assert starts.starts_without_progress(told(*progress)) == count
    assert starts.is_exhausted(told(*progress)) is (count >= 3)


def test_a_message_names_its_latest_starts() -> None:
    known = told(*range(10))
    added = starts.with_start(known, worker="v@x", at=7.5, lost="worker", progress=10)
    assert [start["progress"] for start in added] == list(range(1, 11))
    assert added[-1] == {"worker": "v@x", "at": 7.5, "lost": "worker", "progress": 10}


@pytest.mark.parametrize("headers", [None, {}, {"nexus_deliveries": "x"}, {"nexus_deliveries": [1, None, "a"]}])
def test_a_message_without_starts_that_can_be_read_has_none(headers: Any) -> None:
    assert starts.read_earlier_starts({"headers": headers}) == []


@pytest.mark.parametrize(("note", "progress"), [(b"7", 7), (b"2.5", 2.5), (b"", None), (None, None), (b"nan", None)])
def test_a_note_says_how_far_a_start_got(note: bytes | None, progress: float | None) -> None:
    assert starts.read_progress(note) == progress


def test_the_note_of_a_run_is_beside_what_its_worker_holds() -> None:
    request = SimpleNamespace(properties={"delivery_tag": "1-2 email_queue:5"}, hostname="email@h")
    assert starts.place_of_note(request, "p:") == ("p:nexus:started:email@h", "1-2 email_queue:5")


@pytest.mark.parametrize("properties", [None, {}, {"delivery_tag": "of-kombu"}, {"delivery_tag": 7}])
def test_a_run_that_kombu_delivered_has_no_note(properties: Any) -> None:
    assert starts.place_of_note(SimpleNamespace(properties=properties, hostname="h"), "") is None
