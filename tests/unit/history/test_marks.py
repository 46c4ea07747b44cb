"""Marks: a file beside the history, made by operators and by workers that start with new code."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from celery_nexus.errors import Invalid
from celery_nexus.history.marks import KEPT, MarksFile
from celery_nexus.history.recorder.new_code import mark_new_code
from celery_nexus.history.store.store import Store
from celery_nexus.rows.marks import Mark, check_label, find_new_since
from celery_nexus.runs.source import HistorySource


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def mark(seconds: float, label: str = "v1", code: str = "") -> Mark:
    return Mark(at(seconds), label, "jo", code)


def online(worker: str, code: str, seconds: float, application: str = "shop") -> dict[str, Any]:
    return {
        "type": "worker-online",
        "hostname": worker,
        "timestamp": seconds,
        "code": code,
        "application": application,
    }


class Recorded:
    """A history that is told which workers start."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder / "history.db")
        self.marks = MarksFile(folder / "history.db")

    def tell(self, *events: dict[str, Any]) -> list[tuple[str, str]]:
        mark_new_code(self.store, self.marks, events)
        return [(row.label, row.by) for row in self.marks.read()]


@pytest.fixture(name="recorded")
def open_history(tmp_path: Path) -> Any:
    recorded = Recorded(tmp_path)
    yield recorded
    recorded.store.close()


def test_what_was_marked_is_read_in_order_of_time(tmp_path: Path) -> None:
    marks = MarksFile(tmp_path / "history.db")
    assert marks.read() == []
    marks.add(mark(20, "v2"))
    marks.add(mark(10, "v1"))
    assert [row.label for row in marks.read()] == ["v1", "v2"]
    assert marks.read(15) == [mark(20, "v2")]
    assert marks.path == tmp_path / "history.marks.jsonl"


def test_a_line_that_was_cut_costs_no_other(tmp_path: Path) -> None:
    marks = MarksFile(tmp_path / "history.db")
    marks.add(mark(10))
    with marks.path.open("ab") as file:
        file.write(b'[1]\n{"at": "x"}\n{"at": 20, "la')
    marks.add(mark(30, "v3"))
    assert [row.label for row in marks.read()] == ["v1", "v3"]


def test_the_oldest_of_very_many_are_forgotten(tmp_path: Path) -> None:
    marks = MarksFile(tmp_path / "history.db")
    marks.add(mark(0))
    line = marks.path.read_bytes()
    marks.path.write_bytes(line * 2 * KEPT)
    marks.add(mark(1, "last"))
    assert [len(marks.read()), marks.read()[-1].label] == [KEPT + 1, "last"]


def test_an_operator_marks_a_history_that_is_not_there_yet(tmp_path: Path) -> None:
    source = HistorySource(tmp_path / "new" / "history.db")
    source.mark("v2.4")
    assert [row.label for row in source.marks()] == ["v2.4"]


def test_a_label_is_short_and_no_blank() -> None:
    assert check_label("  v2\n hotfix ") == "v2 hotfix"
    for text in ("", " \n", "x" * 61):
        with pytest.raises(Invalid):
            check_label(text)


def test_the_first_code_that_is_seen_is_no_news(recorded: Recorded) -> None:
    assert recorded.tell(online("email@a", "aaaa", 1), online("files@a", "aaaa", 2)) == []


def test_a_deployment_is_marked_once_however_many_workers_it_has(recorded: Recorded) -> None:
    recorded.tell(online("email@a", "aaaa", 1), online("files@a", "aaaa", 1), online("email@b", "aaaa", 1))
    recorded.tell(online("email@a", "bbbb", 10))
    told = recorded.tell(online("files@a", "bbbb", 11), online("email@b", "bbbb", 12), online("email@a", "bbbb", 13))
    assert told == [("code bbbb", "email@a")]


def test_a_worker_that_restarts_with_old_code_amid_a_deployment_is_no_news(recorded: Recorded) -> None:
    recorded.tell(online("email@a", "aaaa", 1), online("files@a", "aaaa", 1), online("email@a", "bbbb", 10))
    assert recorded.tell(online("files@a", "aaaa", 11)) == [("code bbbb", "email@a")]


def test_what_is_rolled_back_is_marked(recorded: Recorded) -> None:
    recorded.tell(online("email@a", "aaaa", 1), online("email@a", "bbbb", 10))
    assert recorded.tell(online("email@a", "aaaa", 20))[-1] == ("code aaaa", "email@a")


def test_workers_whose_hosts_are_new_each_time_are_compared_with_those_before(recorded: Recorded) -> None:
    recorded.tell(online("celery@pod-1", "aaaa", 1))
    told = recorded.tell(online("celery@pod-2", "bbbb", 10), online("celery@pod-3", "bbbb", 11))
    assert told == [("code bbbb", "celery@pod-2")]


def test_two_applications_are_told_apart(recorded: Recorded) -> None:
    recorded.tell(online("celery@a", "aaaa", 1, "shop"))
    assert recorded.tell(online("celery@b", "cccc", 2, "bank")) == []


def test_a_restart_of_the_recorder_marks_nothing_again(recorded: Recorded) -> None:
    recorded.tell(online("email@a", "aaaa", 1))
    recorded.tell(online("email@a", "bbbb", 10))
    assert recorded.tell(online("email@a", "bbbb", 10)) == [("code bbbb", "email@a")]


def test_what_makes_no_sense_is_left_out(recorded: Recorded) -> None:
    recorded.tell(online("email@a", "aaaa", 1))
    bad: list[Any] = [online("email@a", "", 5), online("email@a", "bbbb", float("nan")), {"type": "worker-online"}]
    assert recorded.tell(*bad) == []


def test_something_is_new_since_the_last_mark_before_it() -> None:
    marks = [mark(10, "v1"), mark(20, "v2"), mark(30, "v3")]
    assert find_new_since(marks, 25, 5) == "v2"
    assert find_new_since(marks, 9, 5) == ""
    assert find_new_since(marks, 15, 12) == ""
