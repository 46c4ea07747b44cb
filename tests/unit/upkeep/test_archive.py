from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from workers.errors import PathNotAllowed
from workers.services.progress import ignore_progress
from workers.services.upkeep import archive
from workers.services.upkeep.archive import archive_old

DAY_S = 86400
MARCH_1 = 1_772_323_200
"""2026-03-01T00:00:00Z."""


def old_file(root: Path, name: str, content: bytes = b"content", at: float = MARCH_1) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (at, at))
    return path


def test_an_old_file_becomes_a_dated_archive_that_holds_the_same(tmp_path: Path) -> None:
    path = old_file(tmp_path, "reports/a/x.html", b"page" * 1000)
    found = archive_old(tmp_path, DAY_S, ignore_progress)
    archived = tmp_path / "archive/2026-03-01/reports/a/x.html.gz"
    assert gzip.decompress(archived.read_bytes()) == b"page" * 1000
    assert archived.stat().st_mtime == MARCH_1
    assert not path.exists()
    assert not path.parent.exists()
    assert (found.archived, found.bytes_before, found.problems) == (1, 4000, [])


def test_young_files_and_archives_stay(tmp_path: Path) -> None:
    (tmp_path / "young.txt").write_text("new")
    old_file(tmp_path, "archive/2026-01-01/old.txt.gz")
    found = archive_old(tmp_path, DAY_S, ignore_progress)
    assert (found.found, found.kept_young) == (0, 1)
    assert (tmp_path / "archive/2026-01-01/old.txt.gz").read_bytes() == b"content"


def test_a_dry_run_changes_nothing(tmp_path: Path) -> None:
    path = old_file(tmp_path, "x.txt")
    found = archive_old(tmp_path, DAY_S, ignore_progress, dry_run=True)
    assert (found.found, found.archived) == (1, 0)
    assert [item.name for item in tmp_path.rglob("*")] == [path.name]


def test_links_are_neither_followed_nor_removed(tmp_path: Path) -> None:
    outside = old_file(tmp_path / "outside", "secret.txt")
    root = tmp_path / "root"
    root.mkdir()
    (root / "link.txt").symlink_to(outside)
    (root / "folder").symlink_to(outside.parent)
    found = archive_old(root, DAY_S, ignore_progress)
    assert found.found == 0
    assert outside.exists()
    assert (root / "link.txt").is_symlink()


def test_a_root_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "root").symlink_to(tmp_path)
    with pytest.raises(PathNotAllowed):
        archive_old(tmp_path / "root", DAY_S, ignore_progress)


def test_after_a_kill_between_archive_and_removal_the_original_is_only_removed(tmp_path: Path) -> None:
    old_file(tmp_path, "x.txt")
    archive_old(tmp_path, DAY_S, ignore_progress)
    old_file(tmp_path, "x.txt")
    found = archive_old(tmp_path, DAY_S, ignore_progress)
    assert (found.archived, found.already_archived) == (0, 1)
    assert [item.name for item in tmp_path.rglob("*") if item.is_file()] == ["x.txt.gz"]


def test_another_file_of_the_same_name_and_day_gets_an_archive_of_its_own(tmp_path: Path) -> None:
    old_file(tmp_path, "x.txt", b"one")
    archive_old(tmp_path, DAY_S, ignore_progress)
    old_file(tmp_path, "x.txt", b"two")
    archive_old(tmp_path, DAY_S, ignore_progress)
    day = tmp_path / "archive/2026-03-01"
    assert gzip.decompress((day / "x.txt.gz").read_bytes()) == b"one"
    assert gzip.decompress((day / "x.txt.2.gz").read_bytes()) == b"two"


def test_a_damaged_archive_never_costs_the_original(tmp_path: Path) -> None:
    damaged = old_file(tmp_path, "archive/2026-03-01/x.txt.gz", gzip.compress(b"content")[:-6])
    old_file(tmp_path, "x.txt")
    archive_old(tmp_path, DAY_S, ignore_progress)
    assert gzip.decompress((tmp_path / "archive/2026-03-01/x.txt.2.gz").read_bytes()) == b"content"
    assert damaged.exists()


def test_an_archive_that_reads_back_differently_leaves_the_original(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = old_file(tmp_path, "x.txt")
    monkeypatch.setattr(archive, "_archive_digest", lambda _path: b"different")
    found = archive_old(tmp_path, DAY_S, ignore_progress)
    assert path.exists()
    assert found.archived == 0
    assert found.problems == ["x.txt: the archive reads back differently, the original stays"]
    assert [item.name for item in (tmp_path / "archive").rglob("*") if item.is_file()] == []


def test_a_file_that_changes_while_it_is_archived_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = old_file(tmp_path, "x.txt")
    compress = archive._write

    def write_late(file: object, part: Path) -> None:
        compress(file, part)  # pyright: ignore[reportArgumentType]
        path.write_text("changed meanwhile")

    monkeypatch.setattr(archive, "_write", write_late)
    found = archive_old(tmp_path, DAY_S, ignore_progress)
    assert path.read_text() == "changed meanwhile"
    assert (found.archived, found.kept_changed) == (0, 1)


def test_names_of_any_bytes_are_archived(tmp_path: Path) -> None:
    name = os.fsdecode(b"a\xff\n\x1b[31m.txt")
    old_file(tmp_path, name)
    found = archive_old(tmp_path, DAY_S, ignore_progress)
    assert found.archived == 1
    assert (tmp_path / "archive/2026-03-01" / f"{name}.gz").exists()
