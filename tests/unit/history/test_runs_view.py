"""The view ``runs``, read as other programs read it: by plain SQLite."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from celery_nexus.history.query.history import History
from celery_nexus.history.store.store import Store
from tests.unit.history.former_files import turn_back_to_5

AT = 1_700_000_000.25


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store(path)
    yield store
    store.close()


def event(kind: str, after_s: float, **fields: Any) -> dict[str, Any]:
    return {"type": f"task-{kind}", "uuid": "a", "timestamp": AT + after_s, "hostname": "w@h", **fields}


SENT = event("sent", 0, name="shop.mail", queue="post", args=[7], kwargs={"to": "ann"}, priority=3, root_id="r")
FAILED = event(
    "failed", 3, exception="KeyError('x')", traceback="  File \"/srv/shop/mail.py\", line 9, in send\nKeyError: 'x'"
)


def rows(path: Path, sql: str) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(sql)]


def test_a_run_has_names_times_and_durations(store: Store, path: Path) -> None:
    store.write([SENT, event("started", 2), event("succeeded", 3.5, runtime=1.5, result_json='{"ok":true}')])
    assert rows(path, "select * from runs") == [
        {
            "key": store.connection.execute("select key from run").fetchone()[0],
            "id": "a",
            "task": "shop.mail",
            "state": "SUCCESS",
            "queue": "post",
            "priority": 3,
            "worker": "w@h",
            "first_at": AT,
            "sent_at": AT,
            "eta_at": None,
            "received_at": None,
            "started_at": AT + 2,
            "finished_at": AT + 3.5,
            "waited_s": 2.0,
            "ran_s": 1.5,
            "retries": 0,
            "args": "[7]",
            "kwargs": '{"to":"ann"}',
            "result": '{"ok":true}',
            "error_type": None,
            "error": None,
            "traceback": None,
            "place": None,
            "root_id": "r",
            "parent_id": None,
            "group_id": None,
            "verdict": None,
        }
    ]


def test_a_failure_has_its_type_its_message_and_its_place(store: Store, path: Path) -> None:
    store.write([SENT, FAILED])
    sql = "select error_type, error, place from runs where state = 'FAILURE'"
    assert rows(path, sql) == [{"error_type": "KeyError", "error": "KeyError: 'x'", "place": "shop/mail.py in send"}]


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("(1, 'two', None)", [1, "two", None]),
        ("{'to': \"it's\", 'n': 2.5}", {"to": "it's", "n": 2.5}),
        ("(1, 'two, ...)", "(1, 'two, ...)"),
        ("<Order 7>", "<Order 7>"),
        ("'it'", "it"),
        ("-42", -42),
        ("None", None),
        ("True", True),
        ("Trueish", "Trueish"),
        ("2026-11-28", "2026-11-28"),
        ("(unclosed", "(unclosed"),
        ("[1, ...]", "[1, ...]"),
        ("", ""),
        ([{"deep": [1]}], [{"deep": [1]}]),
        (None, None),
    ],
)
def test_arguments_are_json_also_where_celery_sent_a_repr(store: Store, path: Path, sent: Any, stored: Any) -> None:
    store.write([SENT | {"args": sent}])
    assert json.loads(rows(path, "select args from runs")[0]["args"] or "null") == stored


def test_arguments_can_be_asked_for_by_their_path(store: Store, path: Path) -> None:
    store.write([SENT])
    assert rows(path, "select id from runs where kwargs ->> '$.to' = 'ann'") == [{"id": "a"}]


def test_counting_by_state_reads_no_table_but_the_runs(store: Store, path: Path) -> None:
    store.write([SENT])
    plan = rows(path, "explain query plan select state, count(*) from runs group by state")
    assert [row["detail"] for row in plan] == ["SCAN run", "USE TEMP B-TREE FOR GROUP BY"]


def test_the_newest_runs_are_found_by_their_key(store: Store, path: Path) -> None:
    store.write([SENT])
    sql = f"select id from runs where key >= {int(AT)} * 1024000000"
    assert rows(path, sql) == [{"id": "a"}]
    assert rows(path, f"explain query plan {sql}")[0]["detail"] == "SEARCH run USING INTEGER PRIMARY KEY (rowid>?)"


def test_the_view_is_read_while_the_recorder_writes(store: Store, path: Path) -> None:
    store.write([SENT])
    store.connection.execute("begin immediate")
    store.connection.execute("update run set retries = 9")
    assert rows(path, "select retries from runs") == [{"retries": 0}]
    store.connection.execute("rollback")


def test_a_file_of_the_version_before_gets_the_view_when_its_recorder_starts(store: Store, path: Path) -> None:
    store.write([SENT])
    turn_back_to_5(store.connection)
    store.close()
    with History(path) as history:
        assert history.count("task:mail") == 1  # a dashboard may be faster than the recorder
    with closing(Store(path).connection):
        assert rows(path, "select id, state from runs") == [{"id": "a", "state": "PENDING"}]


def test_each_file_has_an_identity_of_its_own(path: Path, tmp_path: Path) -> None:
    stores = [Store(path), Store(tmp_path / "other.db"), Store(path)]
    first, other, again = (store.meta("identity") for store in stores)
    assert first == again != other
    for store in stores:
        store.close()
