"""What is recorded of what the views show, and how much of a file can be trusted."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from celery_nexus.errors import Invalid
from celery_nexus.rows import moment
from celery_nexus.rows.broker import QueueStats
from nexus_tui.recording import reel as reels
from nexus_tui.recording.parts import Damaged, dump_part, load_part
from nexus_tui.recording.playback import Playback
from nexus_tui.recording.reel import Reel
from nexus_tui.recording.replayed import open_replay
from nexus_tui.recording.replayed_history import ReplayedHistory
from nexus_tui.recording.writer import Writer
from tests.harness.places import ROOT
from tests.tui import fakes
from tests.tui.recordings import record

HEADER: dict[str, Any] = {"nexus": "nexus recording", "version": 1, "at": 1_790_000_000.0}


def no_consumer(stack: fakes.Fakes) -> None:
    queues = stack.broker.rows
    stack.broker.rows = (replace(queues[0], waiting=500, consumers=()), *queues[1:])


def ends(stack: fakes.Fakes) -> None:
    stack.history.add(fakes.a_run(2, state="SUCCESS"))


def falls_silent(stack: fakes.Fakes) -> None:
    stack.broker.problem = "broker at unix:///run/broker.sock does not answer"


@pytest.fixture
def incident(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Half a minute in which a queue loses its consumers, a run ends, and the broker falls silent."""
    events = {10: no_consumer, 15: ends, 20: falls_silent}
    return record(tmp_path / "incident.nexusrec", fakes.busy(), 30, events, monkeypatch)


def at(reel: Reel, at_s: float) -> tuple[Any, Any]:
    """Open sources and feeds of a replay that stands still at a moment."""
    playback = Playback(reel)
    playback.pause()
    playback.seek(at_s)
    return open_replay(playback)


def write(path: Path, *lines: object) -> Path:
    path.write_bytes(gzip.compress(b"".join(orjson.dumps(line) + b"\n" for line in lines)))
    return path


def test_each_moment_shows_the_queues_as_they_were(incident: Path):
    reel = Reel(incident)
    waiting = [at(reel, at_s)[1].snapshot.queues.value[0].waiting for at_s in (5, 12, 5)]
    assert waiting == [12, 500, 12]


def test_a_run_is_at_each_moment_what_it_was_then(incident: Path):
    reel = Reel(incident)
    states = [at(reel, at_s)[0].history.run(fakes.run_id(2)).state for at_s in (3, 16, 3)]
    assert states == ["STARTED", "SUCCESS", "STARTED"]


def test_a_filter_finds_the_runs_of_the_moment(incident: Path):
    reel = Reel(incident)
    running = [[run.id for run in at(reel, at_s)[0].history.runs("state:started")] for at_s in (3, 16)]
    assert running == [[fakes.run_id(2)], []]


def test_a_source_that_fell_silent_is_silent_in_the_replay(incident: Path):
    reel = Reel(incident)
    told = [at(reel, at_s)[1].troubles.broker for at_s in (5, 25)]
    assert told[0] == ""
    assert "does not answer" in told[1]


def test_what_got_into_trouble_is_marked_when_it_did(incident: Path):
    marks = [(at_s, mark.what) for at_s, mark in Reel(incident).marks]
    assert (10.0, "email_queue: no consumer") in marks


def test_an_age_goes_on_in_the_replay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    queue = QueueStats("ai_queue", 1, (0,) * 10, oldest_age_s=HEADER["at"] - 60)
    told = [{"t": at_s, "part": "queues", "rows": dump_part("queues", (queue,))} for at_s in (1, 9)]
    playback = Playback(Reel(write(tmp_path / "a", HEADER, *told)))
    monkeypatch.setattr(moment, "now", lambda: playback.now)
    playback.pause()
    _, known = open_replay(playback)
    ages: list[float | None] = []
    for at_s in (2.0, 8.0):
        playback.seek(at_s)
        ages += [queue.oldest_age_s for queue in known.snapshot.queues.value or ()]
    assert ages == [62.0, 68.0]


def test_every_change_is_refused_with_a_sentence(incident: Path):
    from celery_nexus.actions.base import perform
    from celery_nexus.actions.queues import PurgeQueue
    from celery_nexus.errors import Refused

    sources, _ = at(Reel(incident), 5)
    with pytest.raises(Refused, match="this is a recording: nothing in it can be changed"):
        perform(PurgeQueue("email_queue"), sources)


def test_a_recording_that_was_cut_is_replayed_up_to_the_cut(incident: Path):
    content, lengths = incident.read_bytes(), list[float]()
    for left_out in range(0, len(content) // 3, 90):
        incident.write_bytes(content[: len(content) - left_out])
        cut = Reel(incident)
        lengths.append(cut.length_s)
        assert cut.is_cut == bool(left_out)
        assert at(cut, 1)[1].snapshot.queues.value[0].waiting == 12
    assert lengths == sorted(lengths, reverse=True)
    assert len(set(lengths)) > 2


def test_secrets_are_masked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    stack = fakes.busy()
    stack.history.rows = [fakes.a_run(1, kwargs={"password": "hunter2-long", "user": "ada"})]
    path = record(tmp_path / "a", stack, 2, {}, monkeypatch)
    text = gzip.decompress(path.read_bytes())
    assert b"hunter2" not in text
    assert b'"user":"ada"' in text


def test_secrets_that_are_known_here_are_taken_out_wherever_they_stand(tmp_path: Path):
    with (tmp_path / "a").open("wb") as file:
        writer = Writer(file, lambda text: text.replace("s3cr3t", "***"))
        writer.begin(0.0)
        writer.add(0.0, "place", "redis at s3cr3t")
        writer.close()
    assert b"s3cr3t" not in gzip.decompress((tmp_path / "a").read_bytes())


def test_bytes_of_messages_are_not_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    stack = fakes.busy()
    stack.broker.waiting = {"email_queue": [fakes.a_message(0, "email_queue", raw=b"\xffbody of a message")]}
    path = record(tmp_path / "a", stack, 3, {}, monkeypatch)
    assert b"body of a message" not in gzip.decompress(path.read_bytes())


def test_what_does_not_change_is_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = record(tmp_path / "a", fakes.idle(), 120, {}, monkeypatch)
    lines = [orjson.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()[1:]]
    parts = [line["part"] for line in lines]
    assert {part: parts.count(part) for part in ("queues", "programs", "audit")} == {
        "queues": 1, "programs": 1, "audit": 1,
    }  # fmt: skip


def test_a_full_recording_says_so(tmp_path: Path):
    with (tmp_path / "a").open("wb") as file:
        writer = Writer(file, most_bytes=300)
        writer.begin(0.0)
        writer.flush()
        before = writer.is_full
        writer.add(1.0, "place", "".join(chr(33 + number * 7 % 90) for number in range(2000)))
        for number in range(200):
            writer.add(1.0, "place", f"{number * 7919 % 10007}")
        writer.flush()
        assert (before, writer.is_full) == (False, True)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is no recording: nexus-tui record makes one"),
        (b"PK\x03\x04 something else", "is no recording"),
        (gzip.compress(b'{"some": "json"}\n'), "is no recording"),
        (gzip.compress(orjson.dumps(HEADER | {"nexus": "x"}) + b"\n"), "is no recording"),
        (gzip.compress(orjson.dumps(HEADER | {"version": 99}) + b"\n"), "by a newer version of Nexus"),
        (gzip.compress(b'{"nexus":"nexus recording","version":1,"at":1e300}\n'), "is no recording"),
    ],
)
def test_what_is_no_recording_is_refused(content: bytes, says: str, tmp_path: Path):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(Invalid, match=says):
        Reel(tmp_path / "a")


def test_a_file_that_unpacks_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reels, "MOST_UNPACKED", 5_000_000)
    lines = [HEADER, *({"t": 1, "part": "place", "rows": "x" * 1000} for _ in range(6000))]
    with pytest.raises(Invalid, match="unpacks to more than 5,000,000 bytes"):
        Reel(write(tmp_path / "a", *lines))


def test_a_line_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reels, "MOST_LINE", 1_000_000)
    with pytest.raises(Invalid, match="a line of more than 1,000,000 bytes"):
        Reel(write(tmp_path / "a", HEADER, {"t": 1, "part": "place", "rows": "x" * 3_000_000}))


@pytest.mark.parametrize(
    "line",
    [
        {"t": -1, "part": "place", "rows": "x"},
        {"t": 1e300, "part": "place", "rows": "x"},
        {"t": True, "part": "place", "rows": "x"},
        {"t": 1, "part": "secrets", "rows": "x"},
        {"t": 1, "part": ["place"], "rows": "x"},
        {"t": 1, "part": "place"},
        ["t"],
    ],
)
def test_lines_that_make_no_sense_are_left_out(line: object, tmp_path: Path):
    reel = Reel(write(tmp_path / "a", HEADER, line, {"t": 2, "part": "place", "rows": "valkey"}))
    assert reel.count("place", 10) == 1
    assert reel.length_s == 2


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("queues", lambda row: row | {"waiting": "many"}),
        ("queues", lambda row: row | {"oldest_age_s": 1e300}),
        ("queues", lambda row: row | {"next_due_at": "0001-01-01T00:00:00Z"}),
        ("queues", lambda row: row | {"next_due_at": "2026-03-14T10:00:00"}),
        ("queues", lambda row: {"name": "x"}),
        ("queues", lambda row: "x"),
    ],
)
def test_rows_that_no_view_can_draw_are_refused(part: str, change: Callable[[Any], Any]):
    row: Any = dump_part("queues", (QueueStats("ai_queue", 1, (0,) * 10),))[0]
    with pytest.raises(Damaged):
        load_part(part, [change(row)])


def test_a_damaged_part_is_told_where_it_is_shown(tmp_path: Path):
    lines = ({"t": 1, "part": "queues", "rows": [{"name": 1}]}, {"t": 1, "part": "place", "rows": "\x1b[2Jvalkey"})
    _, known = at(Reel(write(tmp_path / "a", HEADER, *lines)), 1)
    assert known.snapshot.queues.value is None
    assert "damaged" in known.snapshot.queues.problem
    assert "\x1b" not in known.place


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_replay_runs_fast_and_backwards_and_stands_still_at_its_ends(incident: Path):
    clock = Clock()
    playback = Playback(Reel(incident), clock)
    clock.now = 2.0
    assert playback.at_s == 2.0
    playback.change_speed(1)
    clock.now = 4.0
    assert playback.at_s == 10.0
    playback.change_speed(-2)
    assert playback.speed == -1.0
    clock.now = 7.0
    assert playback.at_s == 7.0
    clock.now = 60.0
    assert (playback.at_s, playback.is_paused) == (0.0, True)


def test_a_replay_goes_from_mark_to_mark(incident: Path):
    playback = Playback(Reel(incident), Clock())
    playback.seek(5.0)
    assert playback.go_to_mark(1)
    assert playback.at_s == 10.0
    assert playback.go_to_mark(-1)
    assert playback.at_s < 5.0
    playback.seek(29.0)
    assert not playback.go_to_mark(1)


def test_whatever_a_view_asks_the_history_a_recording_answers():
    asked = {
        name
        for path in (ROOT / "nexus_tui" / "screens").glob("*.py")
        for name in re.findall(r"\bhistory\.(\w+)\(", path.read_text())
    }
    assert len(asked) > 8
    assert [name for name in sorted(asked) if not hasattr(ReplayedHistory, name)] == []


def test_long_values_are_cut_after_their_secrets_were_masked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    stack = fakes.busy()
    token = "ghp_" + "a1B2" * 9
    stack.history.rows = [fakes.a_run(1, kwargs={"document": "x" * 985 + f" {token} " + "y" * 5000, "pages": 3})]
    path = record(tmp_path / "a", stack, 1, {}, monkeypatch)
    run = at(Reel(path), 1)[0].history.run(fakes.run_id(1))
    assert run.kwargs["pages"] == 3
    assert len(run.kwargs["document"]) < 1100
    assert run.kwargs["document"].endswith("characters)")
    assert b"ghp_a1B2" not in gzip.decompress(path.read_bytes())
