"""Old working files go, and nothing else."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from workers.errors import PathNotAllowed
from workers.services.temporary_files import remove_old

HOUR_S = 3600


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    folder = tmp_path / "tmp"
    (folder / "run").mkdir(parents=True)
    for name, age_s in (("old", 2 * HOUR_S), ("run/older", 9 * HOUR_S), ("fresh", 0)):
        path = folder / name
        path.write_bytes(b"12345")
        os.utime(path, (time.time() - age_s,) * 2)
    os.utime(folder / "run", (0, 0))
    return folder


def test_old_files_are_removed_and_counted(temporary: Path) -> None:
    result = remove_old(temporary, HOUR_S)
    assert (result["removed"], result["removed_bytes"], result["kept"]) == (2, 10, 1)
    assert sorted(result["files"]) == ["old", "run/older"]
    assert (temporary / "fresh").exists()
    assert not (temporary / "old").exists()


def test_an_old_empty_folder_is_removed_and_the_root_stays(tmp_path: Path) -> None:
    (tmp_path / "tmp" / "empty").mkdir(parents=True)
    for name in ("tmp/empty", "tmp"):
        os.utime(tmp_path / name, (0, 0))
    assert remove_old(tmp_path / "tmp", HOUR_S)["removed_folders"] == 1
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_dry_run_says_the_same_and_removes_nothing(temporary: Path) -> None:
    result = remove_old(temporary, HOUR_S, dry_run=True)
    assert (result["removed"], result["removed_bytes"], result["dry_run"]) == (2, 10, True)
    assert (temporary / "old").exists()


def test_links_are_removed_and_never_followed(temporary: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    os.utime(outside / "precious", (0, 0))
    for name, target in (("to_folder", outside), ("to_file", outside / "precious")):
        (temporary / name).symlink_to(target)
        os.utime(temporary / name, (0, 0), follow_symlinks=False)
    remove_old(temporary, HOUR_S)
    assert (outside / "precious").exists()
    assert not (temporary / "to_folder").is_symlink()


def test_a_root_that_is_a_link_is_refused(temporary: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(temporary)
    with pytest.raises(PathNotAllowed):
        remove_old(tmp_path / "link", 0)
    assert (temporary / "old").exists()


def test_no_folder_is_nothing_to_do(tmp_path: Path) -> None:
    assert remove_old(tmp_path / "none", 0)["removed"] == 0
