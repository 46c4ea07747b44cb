"""Documents: the shells that Celery runs around the plain functions in ``workers.services``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal, ParamSpec, TypeVar

from celery import Task as CeleryTask
from celery import chord
from pydantic import AfterValidator, Field

from celery_nexus.runtime.argument_types import PathMarker
from celery_nexus.runtime.progress import RunProgress
from celery_nexus.task_errors import TaskError
from config.celery_config import celery_app
from config.queues import BY_FAMILY
from config.settings import settings
from workers.upload_path import UploadPath

if TYPE_CHECKING:
    from workers.services.documents import Roots

    Task = CeleryTask[Any, Any]
else:
    Task = CeleryTask  # generic in the stubs only

P = ParamSpec("P")
R = TypeVar("R")

WordOperation = Literal["extract_text", "count_stats", "extract_images"]
ExcelOperation = Literal["analyze", "convert", "calculate"]
PowerPointOperation = Literal["extract_text", "analyze_structure", "extract_images"]
PdfOperation = Literal["extract_text", "extract_metadata", "extract_images"]
ImageOperation = Literal["get_info", "resize", "thumbnail", "convert"]
BatchOperation = Literal[
    "extract_text", "count_stats", "extract_images", "analyze", "convert", "calculate", "analyze_structure",
    "extract_metadata", "get_info", "resize", "thumbnail",
]  # fmt: skip
SheetFormat = Literal["csv", "json", "html"]
ImageFormat = Literal["png", "jpeg", "gif", "webp", "tiff", "bmp"]
Pixels = Annotated[int, Field(ge=1, le=20_000)]

_BATCH_CONTENT_CHARACTERS = 1000


def _task(**options: Any) -> Callable[[Callable[P, R]], CeleryTask[P, R]]:
    """Declare a task of this family: ``celery_app.task`` with the registry's options, and types that survive it."""
    declare: Any = celery_app.task
    return declare(**BY_FAMILY["files"].task_options, **options)


def _calculations(given: dict[str, str]) -> dict[str, str]:
    from workers.services.documents.sheets.aggregations import Aggregation

    for name, text in given.items():
        Aggregation.parse(name, text)
    return given


Calculations = Annotated[dict[str, str], AfterValidator(_calculations)]


def _roots() -> Roots:
    from workers.services.documents import Roots

    return Roots(settings().uploads, settings().outputs)


@_task()
def process_word_document(file_path: UploadPath, operations: list[WordOperation] | None = None) -> dict[str, Any]:
    """Read a Word document: text with tables, headers, footers and notes; counts; embedded pictures.

    Templates and macro documents (.docm .dotx .dotm) are read too; macros are never run.

    Args:
        file_path: The document, below the upload root.
        operations: What to do; everything when left out.

    Returns:
        ``content`` (text), ``outputs`` (``text_file``, ``stats``, ``images``), ``stats``, ``properties``,
        ``warnings`` (codes) and ``notes`` (their words).
    """
    from workers.services.documents import process
    from workers.services.documents.word import document as word

    asked = operations or ["extract_text", "count_stats", "extract_images"]
    return process(word.process, file_path, asked, _roots(), progress=RunProgress())


@_task()
def process_excel_file(
    file_path: UploadPath,
    operations: list[ExcelOperation] | None = None,
    formats: list[SheetFormat] | None = None,
    calculations: Calculations | None = None,
) -> dict[str, Any]:
    """Read a workbook: figures for each sheet and column; sheets as CSV, JSON and HTML; calculations.

    Reads .xlsx .xlsm .xltx .xltm .xlsb .xls and .ods. In CSV, text that a spreadsheet would run as a formula gets an
    apostrophe before it.

    Args:
        file_path: The workbook, below the upload root.
        operations: What to do; everything when left out.
        formats: What to convert sheets to; all three when left out.
        calculations: Name and formula of each calculation, like {"total": "sum(Amount)", "late":
            "count(Orders!D)"}: sum, mean, min, max, median, stdev, count, unique, nulls or errors of a column, given by
            the name in its first row or by its letters. Every numeric column's usual figures when left out.

    Returns:
        ``sheets`` (used range, types, nulls, min, max, mean, sum a column), ``calculations``, ``outputs`` (``files``,
        ``csv_file``, ``json_file``, ``html_file`` of the first sheet, ``csv_files`` … of all, ``stats``), ``stats``,
        ``content`` (the first rows), ``warnings`` and ``notes``.
    """
    from workers.services.documents import process
    from workers.services.documents.sheets import excel

    options = {"formats": formats, "calculations": calculations}
    asked = operations or ["analyze", "convert", "calculate"]
    return process(excel.process, file_path, asked, _roots(), options=options, progress=RunProgress())


@_task()
def process_powerpoint(file_path: UploadPath, operations: list[PowerPointOperation] | None = None) -> dict[str, Any]:
    """Read a presentation: text of every slide with tables, groups and notes; its structure; pictures.

    Templates, shows and macro files (.pptm .potx .potm .ppsx .ppsm) are read too; macros are never run.

    Args:
        file_path: The presentation, below the upload root.
        operations: What to do; everything when left out.

    Returns:
        ``content`` (text), ``outputs`` (``text_file``, ``stats``, ``images``), ``structure`` (layout, shapes, notes a
        slide), ``stats``, ``properties``, ``warnings`` and ``notes``.
    """
    from workers.services.documents import powerpoint, process

    asked = operations or ["extract_text", "analyze_structure", "extract_images"]
    return process(powerpoint.process, file_path, asked, _roots(), progress=RunProgress())


@_task()
def process_pdf(file_path: UploadPath, operations: list[PdfOperation] | None = None) -> dict[str, Any]:
    """Read a PDF: text of every page, metadata with outline and encryption, pictures.

    A PDF without a text layer gives the warning no_text. Encrypted PDFs are read when their password is empty.

    Args:
        file_path: The PDF, below the upload root.
        operations: What to do; everything when left out.

    Returns:
        ``content`` (text, a form feed between pages), ``outputs`` (``text_file``, ``stats``, ``images``), ``stats``,
        ``metadata``, ``warnings`` and ``notes``.
    """
    from workers.services.documents import process
    from workers.services.documents.pdf import document as pdf

    asked = operations or ["extract_text", "extract_metadata", "extract_images"]
    return process(pdf.process, file_path, asked, _roots(), progress=RunProgress())


@_task()
def process_image(
    file_path: UploadPath,
    operations: list[ImageOperation] | None = None,
    width: Pixels | None = None,
    height: Pixels | None = None,
    keep_aspect: bool = True,
    thumbnail_size: Annotated[int, Field(ge=1, le=4096)] = 256,
    target_format: ImageFormat | None = None,
    quality: Annotated[int, Field(ge=1, le=100)] = 85,
) -> dict[str, Any]:
    """Look at an image, make it smaller, or convert it. Copies stand upright and carry no EXIF or position.

    Copies keep all frames where their format has them, greys of 16 bits in PNG and TIFF, and the colour profile.

    Args:
        file_path: A PNG, JPEG, GIF, WebP, TIFF, BMP, JPEG 2000, AVIF, ICO, PNM, TGA or DDS below the upload root.
        operations: What to do; everything when left out.
        width: Width of the resized copy in pixels; follows from the height when left out.
        height: Height of the resized copy; follows from the width. With neither it fits into 1024 × 1024.
        keep_aspect: Fit into width and height; otherwise stretch to exactly them.
        thumbnail_size: Longest side of the thumbnail in pixels.
        target_format: Format of the copies; the image's own when left out, or PNG (convert: PNG, or JPEG for a PNG).
        quality: JPEG and WebP quality, 1 to 100.

    Returns:
        ``info`` (format, size, mode, EXIF, frames), ``outputs`` (``images``, ``resized_file``, ``thumbnail_file``,
        ``converted_file``, ``stats``), ``stats``, ``warnings`` and ``notes``.
    """
    from workers.services import images
    from workers.services.documents import process

    options = {
        "width": width,
        "height": height,
        "keep_aspect": keep_aspect,
        "thumbnail_size": thumbnail_size,
        "target_format": target_format,
        "quality": quality,
    }
    asked = operations or ["get_info", "resize", "thumbnail", "convert"]
    return process(images.process, file_path, asked, _roots(), options=options, progress=RunProgress())


@_task(bind=True, reject_on_worker_lost=True, retry_on_worker_lost=False)
def batch_process_files(
    self: Task,
    files: Annotated[list[Annotated[str, PathMarker()]], Field(min_length=1, max_length=5000)],
    operations: list[BatchOperation] | None = None,
) -> dict[str, Any]:
    """Process many files of any kind, each as a task of its own, in parallel; one bad file stops no other.

    Args:
        files: Documents and images below the upload root; their kind is told by their content.
        operations: What to do with each file, as far as its kind knows it; everything when left out.

    Returns:
        When the last file is done: ``total``, ``processed``, ``failed``, ``errors`` (code → how many) and
        ``files`` (each with ``file``, ``status`` and its result or ``error``).
    """
    header = [process_batch_item.s(path, operations) for path in files]
    return self.replace(chord(header, summarize_batch.s()))


@_task(
    reject_on_worker_lost=True,
    retry_on_worker_lost=False,
    internal=True,
    Request="celery_nexus.delivery.worker.batch_request:BatchItemRequest",
)
def process_batch_item(file_path: str, operations: list[BatchOperation] | None = None) -> dict[str, Any]:
    """Process one file of a batch; an error becomes its outcome. Submitted by batch_process_files.

    Args:
        file_path: A document or image below the upload root.
        operations: What to do, as far as the file's kind knows it.
    """
    from workers.services.documents import dispatch, process
    from workers.services.storage import spell_name

    try:
        result = process(dispatch.process, file_path, operations or [], _roots(), progress=RunProgress())
    except TaskError as error:
        return {"file": spell_name(file_path), "status": "failed", "error": {"code": error.code, "message": str(error)}}
    if "content" in result:
        result["content"] = result["content"][:_BATCH_CONTENT_CHARACTERS]
    return {"status": "processed", **result}


@_task(reject_on_worker_lost=True, retry_on_worker_lost=False, internal=True)
def summarize_batch(outcomes: list[dict[str, Any]]) -> dict[str, Any]:
    """Put the outcomes of a batch together. Submitted by batch_process_files.

    Args:
        outcomes: What each file came to.
    """
    codes = [outcome["error"]["code"] for outcome in outcomes if outcome["status"] == "failed"]
    return {
        "total": len(outcomes),
        "processed": len(outcomes) - len(codes),
        "failed": len(codes),
        "errors": {code: codes.count(code) for code in sorted(set(codes))},
        "files": outcomes,
    }


@_task()
def cleanup_temp_files(
    max_age: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 24 * 3600, dry_run: bool = False
) -> dict[str, Any]:
    """Remove working files that no task has touched for a while, below the temporary folder only.

    Below the output root and in the outbox only what a killed run left unfinished goes, after an hour.

    Args:
        max_age: Seconds since a file was changed.
        dry_run: Only say what would be removed.

    Returns:
        ``removed``, ``removed_bytes``, ``removed_folders``, ``kept``, ``files`` (the first hundred), ``problems``,
        ``unfinished`` (output of killed runs that went).
    """
    from workers.services.temporary_files import remove_old, remove_unfinished

    current = settings()
    places = {current.outputs, current.paths.outbox}
    unfinished = sum(remove_unfinished(place, dry_run=dry_run) for place in places)
    return {**remove_old(current.paths.temporary, max_age, dry_run=dry_run), "unfinished": unfinished}
