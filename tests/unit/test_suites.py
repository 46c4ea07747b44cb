"""How the ends of somebody else's tests are read and compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.suites.__main__ import SUITES, compare, find_worse, read_report

REPORT = """<testsuites><testsuite>
<testcase classname="t.integration.test_tasks.test_apply" name="test_eta[1.5-a.b]"/>
<testcase classname="t.integration.test_tasks" name="test_plain"><failure/></testcase>
<testcase classname="t.integration.test_tasks_more" name="test_other"><skipped/></testcase>
<testcase classname="t.integration.test_tasks" name="test_broken"><error/></testcase>
</testsuite></testsuites>"""
FILES = ("t/integration/test_tasks.py", "t/integration/test_tasks_more.py")
SCHEDULED = "t/integration/test_inspect.py::test_Inspect::test_scheduled[a]"


def test_each_test_of_a_report_has_the_name_by_which_it_can_be_run_again(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT)
    assert read_report(report, FILES) == {
        "t/integration/test_tasks.py::test_apply::test_eta[1.5-a.b]": "passed",
        "t/integration/test_tasks.py::test_plain": "failed",
        "t/integration/test_tasks_more.py::test_other": "skipped",
        "t/integration/test_tasks.py::test_broken": "error",
    }


@pytest.mark.parametrize(
    ("name", "stock", "ours", "is_worse"),
    [
        ("t.py::a", "passed", "failed", True),
        ("t.py::a", "passed", "error", True),
        ("t.py::a", "passed", "passed", False),
        ("t.py::a", "failed", "failed", False),
        ("t.py::a", "failed", "passed", False),
        (SCHEDULED, "passed", "failed", False),
    ],
)
def test_what_passes_on_stock_and_not_on_ours_is_worse_unless_by_design(
    name: str, stock: str, ours: str, is_worse: bool
) -> None:
    assert find_worse({name: stock}, {name: ours}) == ([name] if is_worse else [])
    assert compare(SUITES[0], {name: stock}, {name: ours}) == is_worse
