"""Arguments that name an upload are checked where they enter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from celery_nexus.runtime.arguments import parameters, validate
from config.settings import settings
from workers.errors import FileMissing, PathNotAllowed
from workers.upload_path import UploadPath


def process(file_path: UploadPath, others: list[UploadPath] | None = None) -> dict[str, Any]:
    """Take a path."""
    return {"path": file_path, "others": others}


@pytest.fixture(autouse=True)
def _upload_root(uploads: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("NEXUS_UPLOAD_ROOT", str(uploads))
    settings.cache_clear()
    (uploads / "a.pdf").write_text("x")
    yield
    settings.cache_clear()


def test_a_relative_path_becomes_the_absolute_one(uploads: Path) -> None:
    assert validate(process, ["a.pdf"], {})["file_path"] == str((uploads / "a.pdf").resolve())


def test_an_absolute_path_below_the_root_is_taken(uploads: Path) -> None:
    assert validate(process, [str(uploads / "a.pdf")], {})["file_path"] == str((uploads / "a.pdf").resolve())


def test_a_missing_file_is_named_with_its_argument(uploads: Path) -> None:
    with pytest.raises(FileMissing) as caught:
        validate(process, ["b.pdf"], {})
    assert str(caught.value) == f"not_found: file_path: b.pdf: no such file below {uploads}"


def test_each_path_of_a_list_is_checked() -> None:
    with pytest.raises(PathNotAllowed, match=r"^path_not_allowed: others: \.\./x: '\.\.' is not allowed"):
        validate(process, ["a.pdf", ["a.pdf", "../x"]], {})


def test_a_form_knows_that_it_is_a_path() -> None:
    assert parameters(process)[0].kind == "path"
