"""How the tests are spread over processes, and what the closing line says of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.__main__ import Tally, sum_up
from tests.harness import lanes


@pytest.mark.parametrize(
    ("test", "lane"),
    [
        ("tests/unit/test_core.py::test_a[x::y]", "tests/unit/test_core.py"),
        ("tests/integration/broker/test_why.py::test_b", "tests/integration/broker/test_why.py"),
        ("tests/acceptance/test_stack.py::test_c", "tests/acceptance"),
        ("tests/integration/documents/test_damaged.py::test_d", "tests/integration/documents"),
    ],
)
def test_a_file_goes_to_one_process_and_an_area_that_shares_something_dear_as_well(test: str, lane: str) -> None:
    assert lanes.lane_of(test) == lane


def test_a_test_that_passed_only_when_run_once_more_is_unsteady_and_does_not_count_as_passed() -> None:
    stats = {"passed": _reports("a", "b"), "rerun": _reports("b", "c"), "failed": _reports("c")}
    tally = Tally({kind: len(reports) for kind, reports in stats.items()}, lanes.unsteady(stats))
    assert tally.unsteady == ["b"]
    assert sum_up(tally, 1, 0) == (1, "1 passed, 1 failed, 0 skipped, 1 unsteady")


def test_what_passed_and_was_left_out_is_counted() -> None:
    assert sum_up(Tally({"passed": 7, "skipped": 2}), 0, 0) == (0, "7 passed, 0 failed, 2 skipped")


def test_a_run_without_tests_a_broken_end_and_a_check_that_found_something_fail() -> None:
    assert sum_up(Tally(), 5, 0) == (1, "0 passed, 1 failed, 0 skipped")
    assert sum_up(Tally({"passed": 7}), 3, 0)[0] == 1
    assert sum_up(Tally({"passed": 7, "failed": 1, "error": 2}), 1, 1)[0] == 4


def test_long_waits_come_first_the_dashboard_among_them_and_logic_last() -> None:
    names = (
        "unit/a",
        "tui/a",
        "unit/b",
        "integration/broker/a",
        "integration/delivery/a",
        "acceptance/a",
        "acceptance/b",
    )
    items: list[Any] = [SimpleNamespace(nodeid=f"tests/{name}.py::test") for name in (*names, "tui/b")]
    lanes.put_in_order(items)
    order = ["acceptance/a", "acceptance/b", "tui/a", "integration/delivery/a", "integration/broker/a", "tui/b"]
    assert [item.nodeid for item in items] == [f"tests/{name}.py::test" for name in (*order, "unit/a", "unit/b")]


def _reports(*names: str) -> list[SimpleNamespace]:
    return [SimpleNamespace(nodeid=name) for name in names]
