"""PDFs that qpdf, Ghostscript and poppler made of one another's."""

from __future__ import annotations

import re
import subprocess
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen import canvas

from tests.harness.documents import Read
from tests.harness.programs import program
from workers.errors import Encrypted

WORDS = ["Page one says this", "Page two says that", "Page three is the last"]
PASSWORDS = {"empty": "", "user": "a password"}


@pytest.fixture(scope="module")
def paper(uploads: Path) -> Path:
    """A PDF of three pages, with a picture."""
    from PIL import Image

    path = uploads / "paper.pdf"
    page = canvas.Canvas(str(path))
    page.setTitle("A paper")
    for words in WORDS:
        page.drawString(100, 700, words)
        page.drawImage(ImageReader(Image.effect_noise((60, 40), 80)), 100, 500)
        page.showPage()
    page.save()
    return path


def qpdf(*arguments: str | Path) -> None:
    subprocess.run([program("qpdf", "qpdf"), *map(str, arguments)], check=True, capture_output=True, timeout=60)


def ghostscript(*arguments: str | Path) -> None:
    command = [program("gs", "ghostscript"), "-q", "-dNOPAUSE", "-dBATCH", "-dSAFER", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


@pytest.mark.parametrize(
    "options",
    [
        ["--linearize"],
        ["--object-streams=generate", "--recompress-flate", "--compression-level=9"],
        ["--qdf", "--object-streams=disable"],
        ["--encrypt", "", "owner", "256", "--"],
        ["--encrypt", "", "owner", "128", "--use-aes=y", "--"],
        ["--allow-weak-crypto", "--encrypt", "", "owner", "40", "--"],
        ["--encrypt", "", "owner", "256", "--extract=n", "--print=none", "--"],
    ],
)
def test_what_qpdf_rewrites_reads_as_before(paper: Path, uploads: Path, read: Read, options: list[str]) -> None:
    qpdf(*options, paper, uploads / "rewritten.pdf")
    result = read("pdf", "rewritten.pdf")
    assert result["content"].split("\n\f\n") == WORDS
    assert result["metadata"]["encrypted"] == ("--encrypt" in options)
    assert len(result["outputs"]["images"]) == 3
    assert result["warnings"] == []


@pytest.mark.parametrize("bits", ["40", "128", "256"])
def test_a_pdf_with_a_password_is_encrypted(paper: Path, uploads: Path, read: Read, bits: str) -> None:
    qpdf("--allow-weak-crypto", "--encrypt", "a password", "owner", bits, "--", paper, uploads / "locked.pdf")
    with pytest.raises(Encrypted, match=r"locked\.pdf: the PDF has a password"):
        read("pdf", "locked.pdf")


@pytest.mark.parametrize("options", [[], ["-dPDFA=2", "-sColorConversionStrategy=RGB"], ["-dCompatibilityLevel=1.2"]])
def test_what_ghostscript_distils_has_the_same_words(
    paper: Path, uploads: Path, read: Read, options: list[str]
) -> None:
    ghostscript("-sDEVICE=pdfwrite", *options, f"-sOutputFile={uploads / 'distilled.pdf'}", paper)
    result = read("pdf", "distilled.pdf")
    assert [page.strip() for page in result["content"].split("\f")] == WORDS


def test_a_scan_has_pictures_and_says_that_it_has_no_text(paper: Path, uploads: Path, read: Read) -> None:
    ghostscript("-sDEVICE=pdfimage24", "-r50", f"-sOutputFile={uploads / 'scan.pdf'}", paper)
    result = read("pdf", "scan.pdf")
    assert (result["content"].strip(), result["warnings"], result["stats"]["pages"]) == ("", ["no_text"], 3)
    assert len(result["outputs"]["images"]) == 3


def test_what_poppler_puts_together_and_draws_anew_is_read(paper: Path, uploads: Path, read: Read) -> None:
    unite, draw = program("pdfunite", "poppler-utils"), program("pdftocairo", "poppler-utils")
    subprocess.run([unite, paper, paper, uploads / "united.pdf"], check=True, timeout=60)
    subprocess.run([draw, "-pdf", uploads / "united.pdf", uploads / "drawn.pdf"], check=True, timeout=60)
    for name in ("united.pdf", "drawn.pdf"):
        result = read("pdf", name)
        assert [page.strip() for page in result["content"].split("\f")] == WORDS * 2


def test_popplers_own_reading_has_no_more_words(paper: Path, uploads: Path, read: Read) -> None:
    qpdf("--linearize", paper, uploads / "linear.pdf")
    command = [program("pdftotext", "poppler-utils"), uploads / "linear.pdf", "-"]
    theirs = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    assert theirs.split() == read("pdf", "linear.pdf")["content"].split()


MANUAL = r""".TH READER 1
.SH DESCRIPTION
valid \s-1CA\s0 certificate. This is useful when creating intermediate \s-1CA\s0 from
a root \s-1CA.\s0  Extra params are passed to \fBopenssl\-ca\fR\|(1).
.PP
The text of this manual is
.I always
written over the lines, so that no word of it ever revokes another. If
.I parameter
values are given, pass them to
.B openssl
or
.B troff
and you can have likely newer values of them below. See
.I replacement
for what is new. It isn't always what you may want. The key is written to the file key.pem. Invokes it.
"""


def words(text: str) -> Counter[str]:
    return Counter(re.findall(r"[^\W\d_]{2,}", text))


@pytest.mark.parametrize("device", ["pdf", "ps"])
def test_words_of_a_manual_made_by_groff_are_apart(uploads: Path, read: Read, device: str) -> None:
    source, made = uploads / "manual.1", uploads / "manual.pdf"
    source.write_text(MANUAL + MANUAL.partition("\n")[2] * 6)
    command = [program("groff", "groff"), f"-T{device}", "-man", str(source)]
    made.write_bytes(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout)
    if device == "ps":
        made = made.rename(uploads / "manual.ps")
        ghostscript("-sDEVICE=pdfwrite", f"-sOutputFile={uploads / 'manual.pdf'}", made)
    command = [program("pdftotext", "poppler-utils"), str(uploads / "manual.pdf"), "-"]
    theirs = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    assert words(read("pdf", "manual.pdf", ["extract_text"])["content"]) == words(theirs)


LIGATURES = "The difficult office was offered a fine waffle by an affluent shuffler, in a flow of first figures."


@pytest.mark.parametrize("device", ["pdf", "ps"])
def test_words_with_ligatures_are_those_that_poppler_reads(uploads: Path, read: Read, device: str) -> None:
    source, made = uploads / "ligatures.ms", uploads / f"ligatures.{device}"
    source.write_text(f".LP\n{LIGATURES}\n")
    command = [program("groff", "groff"), f"-T{device}", "-ms", str(source)]
    made.write_bytes(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout)
    if device == "ps":
        ghostscript("-sDEVICE=pdfwrite", f"-sOutputFile={uploads / 'ligatures.pdf'}", made)
    command = [program("pdftotext", "poppler-utils"), str(uploads / "ligatures.pdf"), "-"]
    theirs = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    ours = read("pdf", "ligatures.pdf", ["extract_text"])["content"]
    assert words(ours) == words(unicodedata.normalize("NFKC", theirs)) == words(LIGATURES)
