"""Images (PNG, JPEG, GIF, WebP, TIFF, BMP, JPEG 2000, AVIF, ICO, PNM, TGA, DDS): facts, copies, other formats."""

from __future__ import annotations

import warnings
from typing import Any

from PIL import ExifTags, Image, UnidentifiedImageError

from celery_nexus.task_errors import Corrupt, TooLarge, UnsupportedFormat
from workers.errors import TimedOut
from workers.services import image_copies
from workers.services.documents import formats
from workers.services.documents.job import Job, clean, limit_time
from workers.services.image_copies import MAX_FRAMES, Change, Source
from workers.services.progress import Progress

MAX_PIXELS = 50_000_000
DEFAULT_SIDE = 1024
DEFAULT_THUMBNAIL = 256

_LIBRARY_NAMES: dict[formats.Format, str] = {
    "png": "PNG", "jpeg": "JPEG", "gif": "GIF", "webp": "WEBP", "tiff": "TIFF", "bmp": "BMP", "jpeg2000": "JPEG2000",
    "avif": "AVIF", "ico": "ICO", "pnm": "PPM", "tga": "TGA", "dds": "DDS",
}  # fmt: skip
_WRITTEN = ("png", "jpeg", "gif", "webp", "tiff", "bmp")
"""Formats of copies; other images are copied as PNG."""
_NAMES = (
    (b"8BPS", "Adobe Photoshop (PSD)"),
    (b"/* XPM", "X11 Pixel Map (XPM)"),
    (b"%!PS-Adobe", "Encapsulated PostScript (EPS)"),
    (b"\xc5\xd0\xd3\xc6", "Encapsulated PostScript (EPS)"),
    (b"\xd7\xcd\xc6\x9a", "Windows Metafile (WMF)"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
)
"""Kinds of images that are told by their first bytes, also where the library can't read them."""
_EXPECTED = "an image (PNG, JPEG, GIF, WebP, TIFF, BMP, JPEG 2000, AVIF, ICO, PNM, TGA or DDS)"
_COUNTING_S = 5.0
_MAX_TAGS = 200
_GPS_TAG = 0x8825
_MAKER_NOTE = 0x927C
_EXIF_IFD = 0x8769
_ON_ITS_SIDE = range(5, 9)
_DRAFT_SCALE = 2
"""Smallest decoded size of a photo, in multiples of its thumbnail's."""


def process(payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Process an image inside the sandbox; operations ``get_info``, ``resize``, ``thumbnail``, ``convert``."""
    job = Job.of(payload, progress)
    with job.file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's remarks on damaged metadata; what matters raises
        try:
            found = formats.require(job.file, *_LIBRARY_NAMES, expected=_EXPECTED)
        except UnsupportedFormat as error:
            raise _named_by_library(job) or error from None
        with _open(job, found) as image:
            _read(image, found, job)
    return job.result(found)


def _named_by_library(job: Job) -> UnsupportedFormat | None:
    """Name a kind of image that is not processed, by its header alone."""
    job.file.seek(0)
    head = job.file.read(64)
    named = next((name for mark, name in _NAMES if head.startswith(mark)), None)
    if named:
        return UnsupportedFormat(f"the content is an image of the kind {named}, expected {_EXPECTED}")
    job.file.seek(0)
    try:
        with Image.open(job.file) as image:
            kind = f"{image.format_description or image.format} ({image.format})"
    except (OSError, ValueError, SyntaxError, TypeError, EOFError, NotImplementedError):
        return None
    return UnsupportedFormat(f"the content is an image of the kind {kind}, expected {_EXPECTED}")


def _open(job: Job, found: formats.Format) -> Image.Image:
    """Read the header, and nothing more when it claims too many pixels."""
    Image.MAX_IMAGE_PIXELS = None  # the limit is checked below, once, for all formats
    job.file.seek(0)
    try:
        image = Image.open(job.file, formats=[_LIBRARY_NAMES[found]])
    except UnidentifiedImageError:
        raise Corrupt("the image's header is damaged or cut short") from None
    except (OSError, ValueError, SyntaxError, EOFError):
        raise Corrupt("the image's header is damaged, or of a kind that nobody writes") from None
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise TooLarge(f"{width} × {height} pixels; at most {MAX_PIXELS // 1_000_000} million can be processed")
    if not width or not height:
        raise Corrupt(f"the image claims to be {width} × {height} pixels")
    return image


def _read(image: Image.Image, found: str, job: Job) -> None:
    steps = sorted(job.operations)
    frames = _frames(image, job)
    info = _info(image, found, frames, job)
    try:
        _draft(image, job)
        image.load()
    except (OSError, ValueError, SyntaxError, EOFError):
        raise Corrupt("the image is damaged, or cut short") from None
    source = Source(image, found, frames)
    is_on_its_side = image_copies.orientation(image) in _ON_ITS_SIDE
    width, height = (info["height"], info["width"]) if is_on_its_side else (info["width"], info["height"])
    if "get_info" in job.operations:
        job.extra["info"] = {**info, "upright_width": width, "upright_height": height}
    job.stats = {"width": width, "height": height, "pixels": width * height}
    own = found if found in _WRITTEN else "png"
    for number, step in enumerate(steps, 1):
        if step != "get_info":
            _copy(source, step, job.options.get("target_format"), own, job)
        job.progress(number, len(steps), step)


def _draft(image: Image.Image, job: Job) -> None:
    """Have a photo decoded in the size that a thumbnail needs, where nothing else is asked for."""
    if job.operations <= {"get_info", "thumbnail"} and "thumbnail" in job.operations:
        side = _DRAFT_SCALE * _thumbnail_side(job.options)
        image.draft(None, (side, side))  # pyright: ignore[reportArgumentType]  (keeps the mode; its type says otherwise)


def _copy(source: Source, step: str, target: str | None, own: str, job: Job) -> None:
    if step == "resize":
        image_copies.save(source, _resized(job.options), "resized", target or own, job)
    elif step == "thumbnail":
        image_copies.save(source, _thumbnail(job.options), "thumbnail", target or own, job)
    elif step == "convert":
        image_copies.save(source, _unchanged, "converted", target or ("jpeg" if source.found == "png" else "png"), job)


def _info(image: Image.Image, found: str, frames: int, job: Job) -> dict[str, Any]:
    info: dict[str, Any] = {
        "format": found,
        "width": image.width,
        "height": image.height,
        "mode": image.mode,
        "has_alpha": image.has_transparency_data,
        "dpi": [round(float(value), 2) for value in image.info.get("dpi", ())] or None,
        "icc_profile": bool(image.info.get("icc_profile")),
        "frames": frames,
    }
    if "get_info" in job.operations:
        try:
            info["exif"] = _exif(image)
        except (ValueError, TypeError, KeyError, SyntaxError, OSError, ZeroDivisionError, AttributeError):
            job.warn("metadata_incomplete", "the EXIF data can't be read: it is damaged")
    return info


def _exif(image: Image.Image) -> dict[str, str]:
    """Read EXIF tags by name; of a position only that there is one."""
    exif = image.getexif()
    tags = dict(exif) | dict(exif.get_ifd(_EXIF_IFD))
    found: dict[str, str] = {}
    for number, value in list(tags.items())[:_MAX_TAGS]:
        if number in (_GPS_TAG, _EXIF_IFD, _MAKER_NOTE):
            continue
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        found[ExifTags.TAGS.get(number, f"tag {number}")] = clean(text)[:200]
    if exif.get_ifd(_GPS_TAG):
        found["GPSInfo"] = "present"
    return found


def _frames(image: Image.Image, job: Job) -> int:
    """Count frames, up to the limit; leaves the image at its first."""
    count = 1
    try:
        with limit_time(min(_COUNTING_S, max(job.time_left_s(), 0.1))):
            while count < MAX_FRAMES:
                image.seek(count)
                count += 1
            job.warn("frames_cut", f"only the first {MAX_FRAMES} frames were counted")
    except EOFError:
        pass
    except (OSError, ValueError, SyntaxError):
        job.warn("damaged", f"frame {count + 1} is damaged; the frames from it on are not read")
    except TimedOut:
        job.warn("frames_cut", f"counting stopped at {count} frames")
    finally:
        image.seek(0)
    return count


def _resized(options: dict[str, Any]) -> Change:
    """Fit into width and height, either of which may be missing; exactly so when the aspect may change."""

    def resize(image: Image.Image) -> Image.Image:
        width, height = options.get("width"), options.get("height")
        if width and height and not options.get("keep_aspect", True):
            size = (width, height)
        else:
            if not width and not height:
                width = height = min(DEFAULT_SIDE, max(image.size))
            scale = min(bound / side for bound, side in ((width, image.width), (height, image.height)) if bound)
            size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        if size[0] * size[1] > MAX_PIXELS:
            most = MAX_PIXELS // 1_000_000
            raise TooLarge(f"the result would have {size[0]} × {size[1]} pixels; at most {most} million")
        return image_copies.scale_image(
            image, lambda ready: ready.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
        )

    return resize


def _thumbnail_side(options: dict[str, Any]) -> int:
    return options.get("thumbnail_size") or DEFAULT_THUMBNAIL


def _thumbnail(options: dict[str, Any]) -> Change:
    side = _thumbnail_side(options)

    def shrink(image: Image.Image) -> Image.Image:
        scale = side / max(image.size)
        if scale >= 1:
            return image
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)

    return lambda image: image_copies.scale_image(image, shrink)


def _unchanged(image: Image.Image) -> Image.Image:
    return image
