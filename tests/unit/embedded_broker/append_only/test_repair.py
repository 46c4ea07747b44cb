"""What is mended of a data set by itself, and what a person has to decide."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from celery_nexus.embedded_broker.append_only import repair
from celery_nexus.embedded_broker.append_only.repair import DataSet, Repair, Unrepairable, read_repairs

BASE, SECOND_BASE = "appendonly.aof.1.base.rdb", "appendonly.aof.2.base.rdb"
FIRST, SECOND = "appendonly.aof.1.incr.aof", "appendonly.aof.2.incr.aof"
MANIFEST = "appendonly.aof.manifest"
PUSH = b"*3\r\n$5\r\nLPUSH\r\n$1\r\nq\r\n$1\r\nm\r\n"


def line(name: str) -> str:
    number, kind = name.split(".")[2], name.split(".")[3][0]
    return f"file {name} seq {number} type {kind}\n"


def data_set(tmp_path: Path, files: dict[str, bytes], manifest: str | None = None) -> Path:
    """Lay out the files of a server; the manifest names all of them."""
    folder = tmp_path / "appendonlydir"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    text = "".join(line(name) for name in files) if manifest is None else manifest
    (folder / MANIFEST).write_text(text)
    return folder


def mend(tmp_path: Path, problem: str | None = None) -> list[Repair]:
    return DataSet(tmp_path, lambda path: problem if path.name in (BASE, SECOND_BASE) else None).repair()


def test_a_whole_data_set_is_left_alone(tmp_path: Path) -> None:
    data_set(tmp_path, {BASE: b"rdb", FIRST: PUSH})
    assert mend(tmp_path) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["appendonlydir"]


def test_a_server_without_files_is_left_alone(tmp_path: Path) -> None:
    assert mend(tmp_path) == []


def test_a_damaged_end_is_cut_off_and_the_original_kept(tmp_path: Path) -> None:
    original = PUSH * 3 + b"\0" * 100 + PUSH * 2
    folder = data_set(tmp_path, {BASE: b"rdb", FIRST: original})
    (done,) = mend(tmp_path)
    assert (folder / FIRST).read_bytes() == PUSH * 3
    assert (done.cut_bytes, done.cut_commands) == (100 + 2 * len(PUSH), 2)
    assert done.kept is not None
    assert done.kept.read_bytes() == original
    assert mend(tmp_path) == []
    assert read_repairs(tmp_path)[0].partition(" ")[2] == (
        f"{FIRST}: zeros at byte 87; 158 bytes were cut off, 2 whole commands among them; the original is kept in "
        f"{done.kept}"
    )


def test_where_there_is_no_room_for_the_original_the_part_that_is_cut_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_set(tmp_path, {BASE: b"rdb", FIRST: PUSH + b"garbage"})
    full: Any = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(repair.shutil, "disk_usage", lambda _path: full)
    (done,) = mend(tmp_path)
    assert done.kept is not None
    assert (done.kept.name, done.kept.read_bytes()) == (f"{FIRST}.from-byte-{len(PUSH)}", b"garbage")


def test_what_follows_on_a_damaged_file_is_cut_off_with_it(tmp_path: Path) -> None:
    folder = data_set(tmp_path, {SECOND_BASE: b"rdb", FIRST: PUSH + b"\xff", SECOND: PUSH * 4})
    done = mend(tmp_path)
    assert [(row.file, row.cut_commands) for row in done] == [(FIRST, 0), (SECOND, 4)]
    assert (folder / MANIFEST).read_text() == line(SECOND_BASE) + line(FIRST)
    assert sorted(path.name for path in folder.iterdir()) == [FIRST, SECOND_BASE, MANIFEST]


@pytest.mark.parametrize("text", ["", "\0" * 80, "file x\n", line(BASE) + line(FIRST)[:20], line(FIRST) * 2])
def test_a_damaged_manifest_is_written_anew_from_the_files(tmp_path: Path, text: str) -> None:
    folder = data_set(tmp_path, {BASE: b"rdb", FIRST: PUSH, SECOND: PUSH}, text)
    (done,) = mend(tmp_path)
    assert (folder / MANIFEST).read_text() == line(BASE) + line(FIRST) + line(SECOND)
    assert done.file == MANIFEST


def test_a_missing_manifest_is_written_anew_since_the_server_would_begin_empty(tmp_path: Path) -> None:
    folder = data_set(tmp_path, {BASE: b"rdb", FIRST: PUSH})
    (folder / MANIFEST).unlink()
    assert [row.file for row in mend(tmp_path)] == [MANIFEST]
    assert (folder / MANIFEST).read_text() == line(BASE) + line(FIRST)


def test_an_empty_manifest_without_files_is_put_aside(tmp_path: Path) -> None:
    folder = data_set(tmp_path, {}, "")
    assert [row.file for row in mend(tmp_path)] == [MANIFEST]
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("names", [(BASE, SECOND_BASE, FIRST), (SECOND,), (BASE, FIRST, "appendonly.aof.3.incr.aof")])
def test_files_that_can_not_be_put_in_order_without_a_manifest_need_a_person(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    data_set(tmp_path, dict.fromkeys(names, PUSH), "")
    with pytest.raises(Unrepairable, match=r"can't be put in order without it; put it back from a backup, or begin"):
        mend(tmp_path)


@pytest.mark.parametrize("damage", ["is missing", "is empty", "is damaged (RDB CRC error)"])
def test_the_first_base_holds_nothing_and_is_left_out(tmp_path: Path, damage: str) -> None:
    folder = data_set(tmp_path, {BASE: b"" if damage == "is empty" else b"rdb", FIRST: PUSH})
    if damage == "is missing":
        (folder / BASE).unlink()
    (done,) = mend(tmp_path, damage)
    assert done.problem == f"{damage} (it was written before the first key)"
    assert (folder / MANIFEST).read_text() == line(FIRST)


@pytest.mark.parametrize("damage", ["is missing", "is empty", "is damaged (RDB CRC error)"])
def test_a_later_base_needs_a_person(tmp_path: Path, damage: str) -> None:
    folder = data_set(tmp_path, {SECOND_BASE: b"" if damage == "is empty" else b"rdb", SECOND: PUSH})
    if damage == "is missing":
        (folder / SECOND_BASE).unlink()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(Unrepairable) as problem:
        mend(tmp_path, damage)
    assert str(problem.value) == (
        f"{folder / SECOND_BASE} {damage}: it held all that waited when it was written, and no other file does; put it "
        f"back from a backup, or begin with an empty broker: mv {folder} {folder}.damaged; then nexus-tui up"
    )
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_missing_changes_need_a_person(tmp_path: Path) -> None:
    folder = data_set(tmp_path, {BASE: b"rdb", FIRST: PUSH})
    (folder / FIRST).unlink()
    with pytest.raises(Unrepairable, match=r"is missing: it held the latest changes; put it back"):
        mend(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_can_not_be_read_is_an_error_of_the_system(tmp_path: Path) -> None:
    folder = data_set(tmp_path, {BASE: b"rdb", FIRST: PUSH})
    (folder / FIRST).chmod(0)
    with pytest.raises(PermissionError):
        mend(tmp_path)
