"""The filter language: what is understood, what is refused and where, and that SQL and plain evaluation agree."""

import ast
import random
import sqlite3
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from celery_nexus.filters.errors import FilterError
from celery_nexus.filters.parser import All, Any_, Argument, Compare, Node, Not, State, Text, parse
from celery_nexus.history.encoding import STATES
from celery_nexus.history.filter.matching import Facts, _jsonable, holds, loads  # pyright: ignore[reportPrivateUsage]
from celery_nexus.history.query.history import History
from celery_nexus.history.store.store import Store
from celery_nexus.rows.runs import Run

NOW = time.time()


def test_the_short_name_of_a_queue_means_its_queue_as_well() -> None:
    families = {"files": "file_processing_queue"}
    assert parse("queue:FILES,ai", families) == Text("queue", ("FILES", "ai", "file_processing_queue"))
    assert parse("task:files", families) == Text("task", ("files",))


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("", All()),
        ("state:failure", State(("FAILURE",))),
        ("state:fail,succ", State(("FAILURE", "SUCCESS"))),
        ("queue:ai", Text("queue", ("ai",))),
        ("task:*translate*", Text("task", ("*translate*",))),
        ("worker:ai@*", Text("worker", ("ai@*",))),
        ("runtime:>30s", Compare("runtime", ">", 30)),
        ("waited:>=5m", Compare("waited", ">=", 300)),
        ("age:<1.5h", Compare("age", "<", 5400)),
        ("runtime:250ms", Compare("runtime", "=", 0.25)),
        ("retries:>0", Compare("retries", ">", 0)),
        ("args.user_id=42", Argument("user_id", "=", "42")),
        ("args.user.name!=x", Argument("user.name", "!=", "x")),
        ('args.to="a b"', Argument("to", "=", "a b")),
        ('"free text"', Text("", ("free text",))),
        ("-state:retry", Not(State(("RETRY",)))),
        ("- ", Text("", ("-",))),
        ("NOT oops", Not(Text("", ("oops",)))),
        ("(a OR b)", Any_((Text("", ("a",)), Text("", ("b",))))),
        ("a b OR c", Any_((All((Text("", ("a",)), Text("", ("b",)))), Text("", ("c",))))),
        ("STATE:Failure AND oops", All((State(("FAILURE",)), Text("", ("oops",))))),
    ],
)
def test_a_filter_is_understood(text: str, node: Node) -> None:
    assert parse(text) == node


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("state:nope", 6, "no such state"),
        ("state:re", 6, "which state: received, retry, rejected, revoked"),
        ("colour:red", 0, "no field 'colour'"),
        ("runtime:>soon", 9, "runtime: takes a duration"),
        ("retries:>1.5", 9, "retries: takes a whole number"),
        ("task:", 5, "a value for task: is missing"),
        ('say "hello', 4, "never closed"),
        ("(a OR b", 0, "never closed"),
        ("a)", 1, "without its ("),
        ("task:\udcff", 5, "no text"),
        ("a OR", 4, "must follow OR"),
        ("OR a", 0, "must stand before OR"),
        ("()", 0, "nothing between"),
        ("x" * 1001, 1000, "at most 1000"),
        ("(" * 30 + "a" + ")" * 30, 20, "nested deeper"),
    ],
)
def test_a_mistake_is_named_at_its_place(text: str, position: int, message: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse(text)
    assert message in str(caught.value)
    assert caught.value.position == position


@given(st.text(max_size=60) | st.text(alphabet='state:failurORNT()"-*?,.=<>5m ', max_size=40))
def test_any_text_is_understood_or_refused(text: str) -> None:
    try:
        node = parse(text)
    except FilterError as error:
        assert 0 <= error.position <= len(text)
    else:
        holds(node, Facts(id="x", at=NOW, state="PENDING"), NOW)


TASKS = ("workers.ai_tasks.translate_document", "workers.email_tasks.send_email", "ä.Tâsk", "x")
QUEUES = ("ai_queue", "email_queue", "file_processing_queue", "AI2")
WORKERS = ("ai@host", "email@host")
WORDS = ("oops", "42", "Oops: Time*out", "a b", 'quo"te', "Ünï", "100", "true")
VALUES = (
    st.sampled_from(WORDS)
    | st.integers(0, 100)
    | st.sampled_from((0.5, 42.0, -7, 2**53 + 1, "", "x" * 300, {"a": {"b": 42}}, {"a": "oops"}))
    | st.booleans()
    | st.none()
    | st.lists(st.integers(0, 3), max_size=2)
)


@st.composite
def run_events(draw: st.DrawFn, number: int) -> list[dict[str, Any]]:
    beginning = draw(st.sampled_from(("ab", "cd", "42")))
    id_ = f"{beginning}{number:06x}-12ab-4abc-8abc-abcabcab0000" if draw(st.booleans()) else f"{beginning}-{number}"
    at = NOW - draw(st.sampled_from((1.0, 30.0, 100.0, 3700.0, 90000.0)))
    worker = draw(st.sampled_from(WORKERS))
    base: dict[str, Any] = {"uuid": id_, "hostname": worker}
    arguments = {
        "args": draw(st.lists(VALUES, max_size=2)),
        "kwargs": draw(st.dictionaries(st.sampled_from(("user_id", "to", "n")), VALUES, max_size=2)),
    }
    if draw(st.booleans()):
        arguments = {
            name: repr(tuple(value) if isinstance(value, list) else value) for name, value in arguments.items()
        }
    events = [
        base
        | arguments
        | {
            "type": "task-sent",
            "timestamp": at,
            "name": draw(st.sampled_from(TASKS)),
            "queue": draw(st.sampled_from(QUEUES)),
            "priority": draw(st.integers(0, 9)),
            "retries": 0,
            "parent_id": draw(st.sampled_from((None, "ab-0", "ab12cd34-12ab-4abc-8abc-abcabcab0000"))),
            "group": draw(st.sampled_from((None, "ab12cd34-12ab-4abc-8abc-abcabcab0000"))),
        },
        base | {"type": "task-received", "timestamp": at + 1, "name": "late", "retries": draw(st.integers(0, 2))},
        base | {"type": "task-started", "timestamp": at + draw(st.sampled_from((2.0, 40.0)))},
    ]
    end = at + draw(st.sampled_from((40.5, 50.0)))
    ends = {
        "task-succeeded": {
            "result": draw(st.sampled_from(("'oops'", "42", "None", "{'a': 'b c'}"))),
            "runtime": draw(st.sampled_from((None, 0.1, 31.0))),
        },
        "task-failed": {"exception": f"ValueError({draw(st.sampled_from(WORDS))!r})", "traceback": ""},
        "task-retried": {"exception": "Timeout('x')", "traceback": ""},
        "task-revoked": {"terminated": True, "signum": "SIGTERM"},
    }
    kind = draw(st.sampled_from((*ends, "")))
    if kind:
        events.append(base | {"type": kind, "timestamp": end} | ends[kind])
    return events[: draw(st.integers(1, len(events)))]


def quoted(text: str) -> str:
    return '"' + text.replace('"', "?") + '"'


def terms() -> st.SearchStrategy[str]:
    signs = st.sampled_from((">", ">=", "<", "<=", "=", ""))
    words = st.sampled_from(
        (
            *WORDS,
            "AI",
            "ai",
            "ai_*",
            "b12",
            "*12ab-4*",
            "c-8",
            "*?b*",
            "*b0000",
            "*?0",
            "ab?2*",
            "ab0",
            "abcabcab0000",
            "4",
            "*s?nd*",
            "late",
            "host",
            "ab",
            "x",
            "files",
            "*",
            "ValueError",
            "T*x",
        )
    )
    return st.one_of(
        st.builds("state:{}".format, st.sampled_from(STATES).map(str.lower)),
        st.builds(
            lambda field, value: f"{field}:{quoted(value)}",
            st.sampled_from(("task", "queue", "worker", "error", "id", "root", "parent", "group")),
            words,
        ),
        st.builds(
            lambda field, a, b: f"{field}:{quoted(a)},{quoted(b)}",
            st.sampled_from(("task", "queue", "error")),
            words,
            words,
        ),
        st.builds(
            "{}:{}{}s".format,
            st.sampled_from(("runtime", "waited", "age")),
            signs,
            st.sampled_from((0, 1, 30, 39, 3600)),
        ),
        st.builds("{}:{}{}".format, st.sampled_from(("retries", "priority")), signs, st.integers(0, 9)),
        st.builds(
            lambda path, sign, value: f"args.{path}{sign}{quoted(value)}",
            st.sampled_from(("user_id", "to", "0", "1", "00", "n.0", "n", "n.a", "n.a.b")),
            st.sampled_from(("=", "!=", ">", "<", ">=", "<=", ":")),
            words,
        ),
        words.map(quoted),
    )


FILTERS = st.recursive(
    terms(),
    lambda inner: st.one_of(
        inner.map(lambda text: f"-({text})"),
        st.builds("({} OR {})".format, inner, inner),
        st.builds("{} {}".format, inner, inner),
    ),
    max_leaves=4,
)


@contextmanager
def small_segments(rows: int, tail: int, tombstones: int) -> Generator[None]:
    """Make segments of few runs, so that few runs fill some."""
    with pytest.MonkeyPatch.context() as patch:
        sizes = {
            "SEGMENT_ROWS": rows,
            "TAIL": tail,
            "MAX_TOMBSTONES": tombstones,
            "LARGE_SEGMENT": 2 * rows,
            "KEPT_SMALL": 1,
            "OPEN_SHARE": 1,
        }
        for name, size in sizes.items():
            patch.setattr(f"celery_nexus.history.index.builder.{name}", size)
        patch.setattr("celery_nexus.history.index.build.PAGE_ROWS", 2)
        patch.setattr("celery_nexus.history.index.ids.FEW_ROWS", 0)
        patch.setattr("celery_nexus.history.index.segment_search.FIRST_BATCH_ROWS", 1)
        patch.setattr("celery_nexus.history.index.segment_search.MAX_BATCH_ROWS", 2)
        patch.setattr("celery_nexus.history.index.search.ROWS_AT_ONCE", 2)
        yield


def write_in_batches(data: st.DataObject, store: Store, events: list[dict[str, Any]]) -> None:
    """Write events out of order and in several transactions, so that segments hold what has changed since."""
    chance = random.Random(data.draw(st.integers(0, 2**32)))
    chance.shuffle(events)
    size = data.draw(st.sampled_from((1, 3, 100)))
    for start in range(0, len(events), size):
        store.write(events[start : start + size])
        if chance.random() < 0.5:
            store.tidy(is_idle=True)
    if chance.random() < 0.5:
        key = store.connection.execute("select min(key) from run").fetchone()[0]
        store.connection.execute("delete from run where key = ?", (key,))


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_sql_segments_and_plain_evaluation_agree(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("history") / "history.db"
    runs = [data.draw(run_events(number)) for number in range(data.draw(st.integers(1, 12)))]
    store = Store(path)
    sizes = [data.draw(st.sampled_from(some)) for some in ((2, 3, 2000), (0, 1), (0, 2, 20))]
    with small_segments(*sizes):
        write_in_batches(data, store, [event for events in runs for event in events])
        store.close()
        ask(data, path)


def ask(data: st.DataObject, path: Path) -> None:
    facts = facts_of(path)
    with History(path) as history:
        for text in data.draw(st.lists(FILTERS, min_size=1, max_size=5)):
            now = time.time()
            expected = {run.id for run in facts if holds(parse(text), run, now)}
            assert {run.id for run in history.runs(text)} == expected, text
            assert history.count(text) == len(expected)
            newest_first = [run.id for run in facts if run.id in expected]
            assert [run.id for place in range(3) for run in history.runs(text, 1, place)] == newest_first[:3], text
            assert [run.id for run in paged(history, text)] == newest_first, text


def paged(history: History, text: str) -> Iterator[Run]:
    after = None
    while True:
        page = history.page(text, 2, after=after)
        yield from page.runs
        if page.next is None:
            return
        after = page.next


def facts_of(path: Path) -> list[Facts]:
    """Read the runs with plain SQL, not by the code under test."""
    connection = sqlite3.connect(path)
    rows = connection.execute(
        "select run.id, run.key / 1024 / 1e6, state, t.text, q.text, w.text, error, root_id, parent_id, group_id,"
        " verdict, retries, priority, sent_at, started_at, waited_s, ran_s, args, kwargs, result from run"
        " left join name t on t.id = task left join name q on q.id = queue left join name w on w.id = worker"
        " left join arguments on arguments.key = run.key left join ending on ending.key = run.key"
        " order by run.key desc"
    ).fetchall()
    connection.close()
    return [Facts(row[0], row[1], STATES[row[2]], *row[3:]) for row in rows]


@pytest.fixture
def one_run(tmp_path: Path) -> History:
    store = Store(tmp_path / "history.db")
    event = {
        "type": "task-sent",
        "uuid": "abc-1",
        "timestamp": NOW,
        "name": "workers.ai_tasks.translate_document",
        "queue": "ai_queue",
        "retries": 0,
        "hostname": "gen1@h",
        "args": ["x"],
        "kwargs": {"user_id": 42, "to": {"name": "Ada"}},
    }
    store.write([orjson.dumps(event)])
    store.close()
    return History(tmp_path / "history.db")


@pytest.mark.parametrize(
    "text",
    [
        "queue:ai",
        "queue:AI_QUEUE",
        "queue:*queue",
        "task:translate",
        "task:*translate*",
        "args.user_id=42",
        "args.user_id>41",
        "args.0=x",
        "args.to.name=Ada",
        "args.to.name=a*",
        "ada",
        "id:abc",
        "age:<1h",
        "-retries:>0",
        "state:pending",
    ],
)
def test_a_filter_finds_the_run(one_run: History, text: str) -> None:
    assert [run.id for run in one_run.runs(text)] == ["abc-1"]


@pytest.mark.parametrize(
    "text",
    [
        "queue:queue",
        "queue:a?",
        "task:transl*",
        "args.user_id=4",
        "args.1=x",
        "args.to.name=ada",
        "id:bc",
        "age:>1h",
        "retries:>0",
        "eve",
    ],
)
def test_a_filter_does_not_find_the_run(one_run: History, text: str) -> None:
    assert one_run.runs(text) == []


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.lists(inner, max_size=3).map(tuple)
            | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
            | st.frozensets(st.integers(), max_size=2).map(set)
        ),
        max_leaves=6,
    )
)
def test_a_repr_is_read_as_python_reads_it(value: Any) -> None:
    text = repr(value)
    try:
        expected = _jsonable(ast.literal_eval(text))
    except ValueError:
        expected = text
    assert repr(loads(f"~{text}")) == repr(expected)
