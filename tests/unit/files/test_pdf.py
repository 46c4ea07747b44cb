"""PDFs: text by page, metadata, pictures."""

from __future__ import annotations

import io
from pathlib import Path

import pypdf
import pytest
from PIL import Image
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen import canvas

from celery_nexus.task_errors import Corrupt
from tests.harness.documents import Read


@pytest.fixture
def paper(uploads: Path) -> str:
    page = canvas.Canvas(str(uploads / "paper.pdf"))
    page.setTitle("A paper")
    page.drawString(100, 700, "First page")
    page.bookmarkPage("one")
    page.addOutlineEntry("Chapter", "one")
    page.drawImage(ImageReader(Image.effect_noise((40, 30), 50)), 10, 10)
    page.showPage()
    page.drawString(100, 700, "Second page")
    page.save()
    return "paper.pdf"


def test_text_is_read_by_page(paper: str, read: Read) -> None:
    result = read("pdf", paper, ["extract_text"])
    assert result["content"] == "First page\n\f\nSecond page"
    assert (result["stats"]["pages"], result["stats"]["words"], result["stats"]["characters_by_page"]) == (
        2,
        4,
        [10, 11],
    )


def test_metadata_is_read(paper: str, read: Read) -> None:
    metadata = read("pdf", paper, ["extract_metadata"])["metadata"]
    assert (metadata["info"]["Title"], metadata["pages"], metadata["encrypted"]) == ("A paper", 2, False)
    assert metadata["outline"] == [{"title": "Chapter", "level": 0, "page": 1}]


def test_pictures_are_written(paper: str, read: Read) -> None:
    images = read("pdf", paper, ["extract_images"])["outputs"]["images"]
    with Image.open(images[0]) as image:
        assert (len(images), image.size) == (1, (40, 30))


def test_a_scan_warns_that_it_has_no_text(uploads: Path, read: Read) -> None:
    Image.effect_noise((50, 50), 50).save(uploads / "scan.pdf")
    result = read("pdf", "scan.pdf")
    assert result["content"] == ""
    assert result["warnings"] == ["no_text"]
    assert "OCR" in result["notes"]["no_text"]


def _with_xmp(packet: bytes) -> bytes:
    writer = pypdf.PdfWriter()
    writer.add_blank_page(10, 10)
    writer.xmp_metadata = packet
    target = io.BytesIO()
    writer.write(target)
    return target.getvalue()


XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<r:Description xmlns:d="http://purl.org/dc/elements/1.1/"><d:title><r:Alt><r:li>%s</r:li></r:Alt></d:title></r:Description>
</r:RDF></x:xmpmeta>"""


def test_xmp_is_read(uploads: Path, read: Read) -> None:
    (uploads / "x.pdf").write_bytes(_with_xmp(XMP % b"From XMP"))
    assert read("pdf", "x.pdf", ["extract_metadata"])["metadata"]["xmp"] == {"title": "From XMP"}


def test_xmp_with_entities_is_not_expanded(uploads: Path, read: Read) -> None:
    attack = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + XMP % b"&e;"
    (uploads / "x.pdf").write_bytes(_with_xmp(attack))
    assert read("pdf", "x.pdf", ["extract_metadata"])["metadata"].get("xmp", {}) == {}


@pytest.mark.parametrize("share", [0.3, 0.6])
def test_a_truncated_pdf_is_corrupt_or_says_that_it_is_damaged(
    paper: str, uploads: Path, read: Read, share: float
) -> None:
    data = (uploads / paper).read_bytes()
    (uploads / "cut.pdf").write_bytes(data[: int(len(data) * share)])
    try:
        assert "damaged" in read("pdf", "cut.pdf")["warnings"]
    except Corrupt as error:
        assert "cut.pdf" in str(error)
