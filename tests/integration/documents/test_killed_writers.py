"""Whoever writes output may be killed at any moment: what has its final name is whole, and litter goes."""

from __future__ import annotations

import gzip
import os
import random
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.harness.places import ROOT
from tests.harness.waiting import wait_until
from tests.integration.documents import writers
from workers.services.storage import UNFINISHED
from workers.services.temporary_files import remove_old, remove_unfinished

KILLS = 56
LONGEST_S = {"html": 0.5, "docx": 0.6, "xlsx": 0.4, "parquet": 0.6}
"""When a writer is killed at the latest: about two of its files' time."""
USUAL_S = 0.08
SUFFIXES = dict(
    zip(writers.WRITERS, (".csv", ".xlsx", ".parquet", ".html", ".docx", ".bmp", ".eml", ".gz"), strict=True)
)


def finished(root: Path, suffix: str = "") -> list[Path]:
    """List the files of a kind that have their final name."""
    found = [path for path in root.rglob(f"*{suffix}") if path.is_file() and not UNFINISHED.fullmatch(path.name)]
    return [path for path in found if path.suffix in WHOLE and root / "tmp" not in path.parents]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Output of writers that were killed 56 times, each kind seven times."""
    root = tmp_path_factory.mktemp("killed", numbered=True)
    Image.effect_noise((700, 500), 60).save(root / "picture.png")
    (root / "old").mkdir()
    for number in range(writers.OLD_FILES):
        path = root / "old" / f"{number}.txt"
        path.write_bytes(writers.OLD)
        os.utime(path, (0, 0))
    command = [sys.executable, "-m", "tests.integration.documents.writers", str(root)]
    chance = random.Random(7)
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin
        assert server.stdout
        for number in range(KILLS):
            kind = list(writers.WRITERS)[number % len(writers.WRITERS)]
            print(kind, file=server.stdin, flush=True)
            child = int(server.stdout.readline())
            if number < len(writers.WRITERS):
                wait_until(lambda kind=kind: finished(root, SUFFIXES[kind]), f"the first {kind} is written")
            time.sleep(chance.uniform(0, LONGEST_S.get(kind, USUAL_S)))
            os.kill(child, signal.SIGKILL)
            print(f"-{child}", file=server.stdin, flush=True)
            server.stdout.readline()
    return root


def _zipped(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        return archive.testzip() is None


def _drawn(path: Path) -> bool:
    with Image.open(path) as image:
        image.load()
        return image.width > 0


WHOLE: dict[str, Callable[[Path], bool]] = {
    ".csv": lambda path: path.read_text().count("\n") == writers.ROWS + 1,
    ".xlsx": _zipped,
    ".docx": _zipped,
    ".parquet": lambda path: pq.read_table(path).num_rows == writers.ROWS,
    ".html": lambda path: path.read_text().rstrip().endswith("</html>"),
    ".bmp": _drawn,
    ".eml": lambda path: path.read_bytes() == writers.MAIL,
    ".gz": lambda path: gzip.decompress(path.read_bytes()) == writers.OLD,
}


def test_what_has_its_final_name_is_whole(root: Path) -> None:
    checked = finished(root)
    assert {path.suffix for path in checked} == set(WHOLE)
    assert [path for path in checked if not WHOLE[path.suffix](path)] == []


def test_every_old_file_is_there_or_in_its_archive(root: Path) -> None:
    left = {path.name for path in (root / "old").glob("*.txt")}
    archived = {path.name.removesuffix(".gz") for path in (root / "old" / "archive").rglob("*.txt.gz")}
    assert left | archived == {f"{number}.txt" for number in range(writers.OLD_FILES)}


def test_the_next_sweep_leaves_no_litter_and_every_finished_file(root: Path) -> None:
    litter = [path for path in root.rglob(".*") if UNFINISHED.fullmatch(path.name)]
    assert litter  # else nobody was killed while writing
    others = {path for path in root.rglob("*") if path.is_file()} - set(litter) - set((root / "tmp").rglob("*"))
    assert remove_unfinished(root) == 0  # they could still be written
    for path in [*litter, *(root / "tmp").rglob("*")]:
        os.utime(path, (0, 0))
    assert remove_unfinished(root, dry_run=True) == len(litter)
    assert remove_unfinished(root) == len(litter)
    remove_old(root / "tmp", 3600)
    assert {path for path in root.rglob("*") if path.is_file()} == others
