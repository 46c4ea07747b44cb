"""Documents damaged by chance, and things that are no documents: each ends in a result or in one typed error."""

from __future__ import annotations

import io
import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docx
import openpyxl
import pptx
import pytest
from PIL import Image
from pptx.util import Inches
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen import canvas

from celery_nexus.task_errors import DocumentError, InvalidArgument, TaskError
from tests.integration.documents.mutations import mutated
from workers.errors import PathNotAllowed
from workers.services import documents
from workers.services.documents import Roots, dispatch

LIMIT_S = 30
EVERY_KIND = 6
"""How many damaged copies of each document are read."""

CODES = {
    "invalid_argument", "path_not_allowed", "not_found", "encrypted", "corrupt", "unsupported_format", "too_large",
    "too_complex", "timeout", "unsafe_xml", "storage_full", "crashed",
}  # fmt: skip


def word() -> bytes:
    made = docx.Document()
    made.add_heading("A heading")
    made.add_paragraph("A paragraph")
    made.add_table(3, 3).cell(1, 1).text = "in a table"
    made.add_picture(io.BytesIO(picture("PNG")))
    made.sections[0].header.paragraphs[0].text = "a header"
    return _saved(made.save)


def excel() -> bytes:
    made = openpyxl.Workbook()
    sheet: Any = made.active
    for number in range(40):
        sheet.append([number, f"text {number}", number / 7, number % 2 == 0, "=A1+1"])
    made.create_sheet("Other")["C5"] = 1
    return _saved(made.save)


def powerpoint() -> bytes:
    made = pptx.Presentation()
    slide = made.slides.add_slide(made.slide_layouts[1])
    slide.shapes.title.text = "A title"  # pyright: ignore[reportOptionalMemberAccess]
    slide.shapes.add_table(2, 2, Inches(1), Inches(1), Inches(3), Inches(1))
    slide.notes_slide.notes_text_frame.text = "notes"  # pyright: ignore[reportOptionalMemberAccess]
    return _saved(made.save)


def pdf() -> bytes:
    target = io.BytesIO()
    page = canvas.Canvas(target)
    for number in range(5):
        page.drawString(100, 700, f"page {number}")
        page.bookmarkPage(f"p{number}")
        page.addOutlineEntry(f"Chapter {number}", f"p{number}")
        page.drawImage(ImageReader(Image.effect_noise((40, 30), 50)), 10, 10)
        page.showPage()
    page.save()
    return target.getvalue()


def picture(form: str) -> bytes:
    target = io.BytesIO()
    Image.effect_noise((120, 80), 60).convert("RGB").save(target, form)
    return target.getvalue()


def _saved(save: Callable[[Any], Any]) -> bytes:
    target = io.BytesIO()
    save(target)
    return target.getvalue()


MAKERS: dict[str, Callable[[], bytes]] = {"docx": word, "xlsx": excel, "pptx": powerpoint, "pdf": pdf} | {
    form.lower(): lambda form=form: picture(form) for form in ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP")
}


@pytest.mark.parametrize("kind", MAKERS)
def test_a_document_damaged_by_chance_ends_in_a_result_or_a_typed_error(
    uploads: Path, outputs: Path, kind: str
) -> None:
    whole = MAKERS[kind]()
    for seed in range(EVERY_KIND):
        how, data = mutated(whole, seed)
        (uploads / "damaged").write_bytes(data)
        started = time.monotonic()
        try:
            outcome = json.dumps(documents.process(dispatch.process, "damaged", [], Roots(uploads, outputs)))
        except TaskError as error:
            outcome = error.code
            assert error.code in CODES - {"crashed", "timeout"}, f"seed {seed} ({how}): {error}"
            assert str(error).isprintable(), f"seed {seed} ({how}): {error!r}"
        assert outcome
        assert time.monotonic() - started < LIMIT_S, f"seed {seed} ({how})"


def test_there_are_at_most_twelve_codes() -> None:
    kinds = {DocumentError, InvalidArgument, PathNotAllowed}
    codes = {kind.code for kind in (*DocumentError.__subclasses__(), *kinds - {DocumentError})}
    assert codes == CODES
    assert len(codes) <= 12


@pytest.mark.parametrize("kind", ["folder", "pipe", "socket", "link to a device", "link outside", "link to itself"])
def test_what_is_no_file_is_refused_at_once(
    uploads: Path, outputs: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = uploads / f"{kind}.pdf"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            monkeypatch.chdir(uploads)  # a socket's path has at most 107 bytes
            server.bind(path.name)
    else:
        targets = {"link to a device": "/dev/zero", "link outside": "/etc/passwd", "link to itself": path.name}
        path.symlink_to(targets[kind])
    with pytest.raises(PathNotAllowed):
        documents.process(dispatch.process, path.name, [], Roots(uploads, outputs))
