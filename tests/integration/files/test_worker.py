"""The family's tasks through a real worker and a real broker, killed processes included."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import docx
import openpyxl
import psutil
import pytest
from PIL import Image
from reportlab.pdfgen import canvas

from celery_nexus.task_errors import InvalidArgument, TooLarge, UnsupportedFormat
from tests.harness.waiting import wait_until
from tests.integration.files.conftest import FilesStack
from workers import file_tasks
from workers.errors import FileMissing, PathNotAllowed

WAIT_S = 90


@pytest.fixture(scope="module")
def samples(stack: FilesStack) -> dict[str, str]:
    """One upload of each kind."""
    document = docx.Document()
    document.add_paragraph("a paragraph")
    document.save(str(stack.uploads / "a.docx"))
    book = openpyxl.Workbook()
    sheet: Any = book.active
    sheet.append(["Amount"])
    sheet.append([3])
    book.save(stack.uploads / "a.xlsx")
    page = canvas.Canvas(str(stack.uploads / "a.pdf"))
    page.drawString(100, 100, "a page")
    page.save()
    Image.new("RGB", (40, 20), "red").save(stack.uploads / "a.png")
    (stack.uploads / "junk.bin").write_bytes(bytes(range(64)))
    return {kind: f"a.{kind}" for kind in ("docx", "xlsx", "pdf", "png")}


def test_a_word_document_comes_back_as_text(stack: FilesStack, samples: dict[str, str]) -> None:
    result = file_tasks.process_word_document.delay(samples["docx"]).get(timeout=WAIT_S)
    assert result["content"] == "a paragraph"
    assert Path(result["outputs"]["text_file"]).read_text() == "a paragraph"
    assert Path(result["outputs"]["text_file"]).is_relative_to(stack.outputs)


def test_a_workbook_gives_the_named_calculation(samples: dict[str, str]) -> None:
    run = file_tasks.process_excel_file.delay(samples["xlsx"], calculations={"total": "sum(Amount)"})
    assert run.get(timeout=WAIT_S)["calculations"] == {"total": 3}


def test_a_pdf_and_an_image_are_processed(stack: FilesStack, samples: dict[str, str]) -> None:
    assert file_tasks.process_pdf.delay(str(stack.uploads / samples["pdf"])).get(timeout=WAIT_S)["content"] == "a page"
    info = file_tasks.process_image.delay(samples["png"], ["get_info"]).get(timeout=WAIT_S)["info"]
    assert (info["width"], info["height"]) == (40, 20)


def test_what_is_wrong_is_refused_before_it_is_queued(stack: FilesStack, samples: dict[str, str]) -> None:
    with pytest.raises(InvalidArgument, match="extract_text"):
        file_tasks.process_pdf.apply_async((samples["pdf"], ["extract_txt"]))
    with pytest.raises(FileMissing):
        file_tasks.process_pdf.delay("missing.pdf")
    with pytest.raises(PathNotAllowed):
        file_tasks.process_pdf.delay("/etc/passwd")
    with pytest.raises(InvalidArgument, match="calculations"):
        file_tasks.process_excel_file.delay(samples["xlsx"], calculations={"x": "eval(1)"})


def test_a_wrong_document_fails_with_its_code_and_its_worker_child_stays(
    stack: FilesStack, samples: dict[str, str]
) -> None:
    before = {child.pid for child in stack.children()}
    (stack.uploads / "bomb.docx").write_bytes(_bomb(stack.uploads / samples["docx"]))
    with pytest.raises(TooLarge, match=r"^too_large: bomb\.docx: "):
        file_tasks.process_word_document.delay("bomb.docx").get(timeout=WAIT_S)
    with pytest.raises(UnsupportedFormat, match="process_word_document reads it"):
        file_tasks.process_pdf.delay(samples["docx"]).get(timeout=WAIT_S)
    assert {child.pid for child in stack.children()} == before


def _bomb(document: Path) -> bytes:
    import zipfile

    with zipfile.ZipFile(document, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/media/big.bin", bytes(15 << 20))
    data = document.read_bytes()
    made = docx.Document()
    made.add_paragraph("a paragraph")
    made.save(str(document))
    return data


def test_a_batch_gives_every_files_outcome(stack: FilesStack, samples: dict[str, str]) -> None:
    files = [*samples.values(), "junk.bin", "missing.pdf", "../outside"]
    result = file_tasks.batch_process_files.apply_async((files,)).get(timeout=WAIT_S)
    assert (result["total"], result["processed"], result["failed"]) == (7, 4, 3)
    assert result["errors"] == {"not_found": 1, "path_not_allowed": 1, "unsupported_format": 1}
    assert [outcome["status"] for outcome in result["files"]] == ["processed"] * 4 + ["failed"] * 3


def test_an_operation_that_fits_no_file_of_a_kind_is_that_files_outcome(samples: dict[str, str]) -> None:
    files = [samples["docx"], samples["png"]]
    result = file_tasks.batch_process_files.apply_async((files, ["extract_text"])).get(timeout=WAIT_S)
    assert [outcome["status"] for outcome in result["files"]] == ["processed", "failed"]
    assert "none fits a PNG image" in result["files"][1]["error"]["message"]


def test_a_killed_zygote_costs_no_run(stack: FilesStack, samples: dict[str, str]) -> None:
    file_tasks.process_pdf.delay(samples["pdf"]).get(timeout=WAIT_S)
    for child in stack.children():
        for zygote in child.children():
            zygote.kill()
    assert file_tasks.process_pdf.delay(samples["pdf"]).get(timeout=WAIT_S)["content"] == "a page"


def test_a_batch_survives_a_pool_process_that_is_killed(stack: FilesStack, samples: dict[str, str]) -> None:
    run = file_tasks.batch_process_files.apply_async(([samples["docx"]] * 60,))
    time.sleep(0.5)
    victim = stack.children()[0]
    zygotes = victim.children()
    os.kill(victim.pid, signal.SIGKILL)
    result = run.get(timeout=WAIT_S)
    assert (result["total"], result["failed"]) == (60, 0)
    assert psutil.pid_exists(stack.worker.pid)
    assert psutil.wait_procs(zygotes, timeout=10)[1] == []


def test_a_run_whose_pool_process_is_killed_is_retried_and_says_why(stack: FilesStack, samples: dict[str, str]) -> None:
    file_tasks.process_pdf.delay(samples["pdf"]).get(timeout=WAIT_S)
    for child in stack.children():
        for zygote in child.children():
            zygote.suspend()  # the next run hangs
    run = file_tasks.process_pdf.delay(samples["pdf"])
    wait_until(lambda: run.state == "STARTED", timeout_s=WAIT_S)
    for child in stack.children():
        child.kill()
    wait_until(lambda: run.state == "RETRY", timeout_s=WAIT_S)
    assert "crashed: the process of this run died" in str(run.result)
    assert "SIGKILL" in str(run.result)
    run.revoke()  # its retry comes in half a minute
    assert file_tasks.process_pdf.delay(samples["pdf"]).get(timeout=WAIT_S)["content"] == "a page"


def test_cleaning_says_what_it_removed(stack: FilesStack) -> None:
    old = stack.home / "tmp" / "old.part"
    old.parent.mkdir(exist_ok=True)
    old.write_bytes(b"12345")
    os.utime(old, (0, 0))
    result = file_tasks.cleanup_temp_files.delay(max_age=3600).get(timeout=WAIT_S)
    assert (result["removed"], result["removed_bytes"], result["files"]) == (1, 5, ["old.part"])
    assert not old.exists()
