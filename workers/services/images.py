"""Images (PNG, JPEG, GIF, WebP, TIFF, BMP): facts, smaller copies, other formats."""

from __future__ import annotations

import warnings
from typing import Any

from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from workers.errors import Corrupt, TimedOut, TooLarge
from workers.services.documents import formats
from workers.services.documents.job import Job, clean, time_box
from workers.services.progress import Progress

MAX_PIXELS = 50_000_000
MAX_FRAMES = 500
DEFAULT_SIDE = 1024
DEFAULT_THUMBNAIL = 256
DEFAULT_QUALITY = 85

_FORMATS: tuple[formats.Format, ...] = ("png", "jpeg", "gif", "webp", "tiff", "bmp")
_COUNTING_S = 5.0
_MAX_ICC_BYTES = 1 << 20
_MAX_TAGS = 200
_WITHOUT_ALPHA = ("jpeg", "bmp")
_SUFFIXES = {"jpeg": "jpg", "tiff": "tif"}
_GPS_TAG = 0x8825
_MAKER_NOTE = 0x927C
_EXIF_IFD = 0x8769


def process(payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Process an image inside the sandbox; operations ``get_info``, ``resize``, ``thumbnail``, ``convert``."""
    job = Job.of(payload, progress)
    with job.file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's remarks on damaged metadata; what matters raises
        found = formats.require(job.file, *_FORMATS, expected="an image (PNG, JPEG, GIF, WebP, TIFF or BMP)")
        with _open(job) as image:
            _read(image, found, job)
    return job.result(found)


def _open(job: Job) -> Image.Image:
    """Read the header, and nothing more when it claims too many pixels."""
    Image.MAX_IMAGE_PIXELS = None  # the limit is checked below, once, for all formats
    job.file.seek(0)
    try:
        image = Image.open(job.file, formats=[name.upper() for name in _FORMATS])
    except UnidentifiedImageError:
        raise Corrupt("the image's header is damaged or cut short") from None
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise TooLarge(f"{width} × {height} pixels; at most {MAX_PIXELS // 1_000_000} million can be processed")
    if not width or not height:
        raise Corrupt(f"the image claims to be {width} × {height} pixels")
    return image


def _read(image: Image.Image, found: str, job: Job) -> None:
    steps = sorted(job.operations)
    info = _info(image, found, job)
    try:
        image.load()
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise Corrupt(f"the image can't be decoded, perhaps cut short ({clean(str(error))[:200]})") from None
    upright = ImageOps.exif_transpose(image)
    if "get_info" in job.operations:
        job.extra["info"] = {**info, "upright_width": upright.width, "upright_height": upright.height}
    job.stats = {"width": upright.width, "height": upright.height, "pixels": upright.width * upright.height}
    target = job.options.get("target_format")
    for number, step in enumerate(steps, 1):
        if step == "resize":
            _save(_resized(upright, job.options), "resized", target or found, job)
        elif step == "thumbnail":
            _save(_thumbnail(upright, job.options), "thumbnail", target or found, job)
        elif step == "convert":
            _save(upright, "converted", target or ("jpeg" if found == "png" else "png"), job)
        job.progress(number, len(steps), step)


def _info(image: Image.Image, found: str, job: Job) -> dict[str, Any]:
    info: dict[str, Any] = {
        "format": found,
        "width": image.width,
        "height": image.height,
        "mode": image.mode,
        "has_alpha": image.has_transparency_data,
        "dpi": [round(float(value), 2) for value in image.info.get("dpi", ())] or None,
        "icc_profile": bool(image.info.get("icc_profile")),
    }
    if "get_info" in job.operations:
        try:
            info |= {"exif": _exif(image), "frames": _frames(image, job)}
        except (ValueError, TypeError, KeyError, SyntaxError, OSError, ZeroDivisionError, AttributeError) as error:
            job.warn("metadata_incomplete", f"EXIF can't be read ({type(error).__name__})")
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
        with time_box(min(_COUNTING_S, max(job.time_left_s(), 0.1))):
            while count < MAX_FRAMES:
                image.seek(count)
                count += 1
            job.warn("frames_cut", f"only the first {MAX_FRAMES} frames were counted")
    except EOFError:
        pass
    except (OSError, ValueError, SyntaxError) as error:
        job.warn("damaged", f"frame {count + 1} can't be read ({clean(str(error))[:100]})")
    except TimedOut:
        job.warn("frames_cut", f"counting stopped at {count} frames")
    finally:
        image.seek(0)
    return count


def _resized(image: Image.Image, options: dict[str, Any]) -> Image.Image:
    """Fit into width and height, either of which may be missing; exactly so when the aspect may change."""
    width, height = options.get("width"), options.get("height")
    if width and height and not options.get("keep_aspect", True):
        size = (width, height)
    else:
        if not width and not height:
            width = height = min(DEFAULT_SIDE, max(image.size))
        scale = min(bound / side for bound, side in ((width, image.width), (height, image.height)) if bound)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    if size[0] * size[1] > MAX_PIXELS:
        raise TooLarge(f"the result would have {size[0]} × {size[1]} pixels; at most {MAX_PIXELS // 1_000_000} million")
    return _full_colour(image).resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def _thumbnail(image: Image.Image, options: dict[str, Any]) -> Image.Image:
    side = options.get("thumbnail_size") or DEFAULT_THUMBNAIL
    small = _full_colour(image).copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    return small


def _full_colour(image: Image.Image) -> Image.Image:
    """Turn modes that can't be scaled smoothly into those that can."""
    if image.has_transparency_data and image.mode != "LA":
        return image.convert("RGBA")
    if image.mode in ("1", "I", "F") or image.mode.startswith("I;"):
        return _eight_bits(image)
    return image.convert("RGB") if image.mode not in ("L", "LA", "RGB") else image


def _eight_bits(image: Image.Image) -> Image.Image:
    """Scale 16-bit and floating grey to the 256 levels that every format takes."""
    if image.mode == "1":
        return image.convert("L")
    floating = image.convert("F")
    low, high = floating.getextrema()
    if not isinstance(low, float) or not isinstance(high, float) or high <= low:
        return floating.convert("L")
    scale = 255.0 / (high - low)
    return floating.point(lambda value: value * scale - low * scale).convert("L")


def _save(image: Image.Image, name: str, target: str, job: Job) -> None:
    """Write without EXIF, position or comments: only pixels, and the colour profile."""
    ready = _full_colour(image)
    if target in _WITHOUT_ALPHA and "A" in ready.mode:
        ground = Image.new("RGB", ready.size, "white")
        ground.paste(ready.convert("RGBA"), mask=ready.getchannel("A"))
        ready = ground
    options: dict[str, Any] = {}
    profile = image.info.get("icc_profile")
    if (
        profile
        and len(profile) <= _MAX_ICC_BYTES
        and ready.mode == image.mode
        and target in ("png", "jpeg", "webp", "tiff")
    ):
        options["icc_profile"] = profile
    if target in ("jpeg", "webp"):
        options["quality"] = job.options.get("quality") or DEFAULT_QUALITY
    if target == "tiff":
        options["compression"] = "tiff_lzw"
    clean_copy = ready.copy()
    clean_copy.info = {}
    file_name = f"{name}.{_SUFFIXES.get(target, target)}"
    with job.out.writing(file_name) as file:
        clean_copy.save(file, target.upper(), **options)
    path = str(job.out.path / file_name)
    job.outputs.setdefault("images", []).append(path)
    job.outputs[f"{name}_file"] = path
    job.stats[name] = {"width": ready.width, "height": ready.height, "format": target}
