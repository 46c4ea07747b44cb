"""Copies of images: smaller ones and other formats, with their frames, greys and colours as they were meant."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from PIL import ExifTags, Image, ImageCms, ImageOps

from workers.services.documents.job import Job

MAX_FRAMES = 500
MAX_COPIED_PIXELS = 80_000_000
"""Pixels of all frames of a copy together."""
DEFAULT_QUALITY = 85

SUFFIXES = {"jpeg": "jpg", "tiff": "tif"}
_ANIMATED = ("gif", "webp", "png")
_WITHOUT_ALPHA = ("jpeg", "bmp")
_WITH_PROFILE = ("png", "jpeg", "webp", "tiff")
_DEEP = ("png", "tiff")
"""Formats that hold greys of 16 bits."""
_MAX_ICC_BYTES = 8 << 20
_SPACES = {"RGB ": ("RGB", "RGBA"), "GRAY": ("L", "LA")}
_SIXTEEN_BITS = 65535.0
_TURNED = range(2, 9)

_COLOURS = cast("Any", ImageCms)  # typed in part only

Change = Callable[[Image.Image], Image.Image]


@dataclass(frozen=True)
class Source:
    """An image to make copies of.

    Attributes:
        image: At its first frame.
        found: Its format.
        frames: How many it has.
    """

    image: Image.Image
    found: str
    frames: int

    def turn_upright(self, at: int = 0) -> Image.Image:
        """Give a frame as it is meant to stand; the image itself where that is how it lies."""
        if self.frames > 1:
            self.image.seek(at)
        return ImageOps.exif_transpose(self.image) if orientation(self.image) in _TURNED else self.image

    def frames_for(self, target: str) -> int:
        """Say how many frames a copy in a format holds: pages stay pages, and animations move or become pages."""
        holds = target == "tiff" if self.found == "tiff" else target in (*_ANIMATED, "tiff")
        return min(self.frames, MAX_FRAMES) if holds else 1


def orientation(image: Image.Image) -> int:
    """Tell how an image is turned (EXIF 2.3, tag 274): 1 not at all, from 5 on its width is its height."""
    found: Any = image.getexif().get(ExifTags.Base.Orientation, 1)
    return found if isinstance(found, int) else 1


def save(source: Source, change: Change, name: str, target: str, job: Job) -> None:
    """Write a copy without EXIF, position or comments: only pixels, frames' times, and the colour profile."""
    change = _with_screen_colours(source, change, job)
    first = change(source.turn_upright())
    count = max(1, min(source.frames_for(target), MAX_COPIED_PIXELS // max(first.width * first.height, 1)))
    if count < source.frames:
        job.warn(
            "frames_lost", f"{source.frames - count} of {source.frames} frames are not in the copy {name!r} ({target})"
        )
    profile = _profile(source.image, first, target, job)
    changed = (first if at == 0 else change(source.turn_upright(at)) for at in range(count))
    frames = _frames(source, changed, target, profile, job)
    ready = next(frames)
    options = _options(ready, target, profile, job)
    if count > 1:
        options |= {
            "save_all": True,
            "append_images": list(frames) if target == "png" else frames,
            **_timing(source, target, count),
        }
    file_name = f"{name}.{SUFFIXES.get(target, target)}"
    buffer = io.BytesIO()  # the writer of pages reads what it wrote
    ready.save(buffer, target.upper(), **options)
    with job.out.open_file(file_name) as file:
        file.write(buffer.getbuffer())
    path = str(job.out.path / file_name)
    job.outputs.setdefault("images", []).append(path)
    job.outputs[f"{name}_file"] = path
    job.stats[name] = {"width": ready.width, "height": ready.height, "format": target}
    if count > 1:
        job.stats[name]["frames"] = count


def _with_screen_colours(source: Source, change: Change, job: Job) -> Change:
    """Have printers' colours become those of screens before anything else is done."""
    return (lambda image: change(convert_print_colours(image, job))) if source.image.mode == "CMYK" else change


def _frames(
    source: Source, changed: Iterator[Image.Image], target: str, profile: bytes | None, job: Job
) -> Iterator[Image.Image]:
    for frame in changed:
        ready = _fit(frame, target, job)
        if profile is None:
            ready = _in_screen_colours(source.image, ready, job)
        if ready is source.image:
            ready = ready.copy()  # which has no metadata but these
        ready.info = {}
        yield ready


def _timing(source: Source, target: str, count: int) -> dict[str, Any]:
    if target == "tiff":
        return {}
    durations: list[int] = []
    for at in range(count):
        source.image.seek(at)
        source.image.load()  # some formats know a frame's time only then
        durations.append(round(source.image.info.get("duration") or 100))
    options: dict[str, Any] = {"duration": durations, "loop": source.image.info.get("loop", 0)}
    if target == "gif":
        options["disposal"] = 2
    return options


def _options(ready: Image.Image, target: str, profile: bytes | None, job: Job) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if profile:
        options["icc_profile"] = profile
    if target in ("jpeg", "webp"):
        options["quality"] = job.options.get("quality") or DEFAULT_QUALITY
    if target == "tiff" and ready.mode not in ("F", "I"):
        options["compression"] = "tiff_lzw"
    return options


def _fit(image: Image.Image, target: str, job: Job) -> Image.Image:
    """Bring an image into a mode that a format holds."""
    if is_deep(image):
        if target in _DEEP:
            return _sixteen_bits(image) if target == "png" or _highest(image) <= _SIXTEEN_BITS else image
        return scale_to_eight_bits(image, job)
    ready = convert_to_full_colour(image)
    if target in _WITHOUT_ALPHA and "A" in ready.mode:
        ground = Image.new("RGB", ready.size, "white")
        ground.paste(ready.convert("RGBA"), mask=ready.getchannel("A"))
        return ground
    return ready


def is_deep(image: Image.Image) -> bool:
    """Tell greys of more than 8 bits."""
    return image.mode in ("I", "F") or image.mode.startswith("I;")


def convert_to_full_colour(image: Image.Image) -> Image.Image:
    """Turn modes that can't be scaled smoothly into those that can; deep greys stay."""
    if is_deep(image):
        return image
    if image.has_transparency_data and image.mode != "LA":
        return image.convert("RGBA")
    if image.mode == "1":
        return image.convert("L")
    return image.convert("RGB") if image.mode not in ("L", "LA", "RGB") else image


def scale_image(image: Image.Image, scale: Change) -> Image.Image:
    """Scale an image in colours that mix; deep greys keep their steps."""
    if not is_deep(image):
        return scale(convert_to_full_colour(image))
    result = scale(image.convert("F"))
    if image.mode == "F":
        return result
    whole = result.point(lambda value: value * 1.0 + 0.5).convert("I")
    return whole if image.mode == "I" else whole.convert("I;16")


def _highest(image: Image.Image) -> float:
    extremes: Any = image.convert("F").getextrema()
    return float(extremes[1])


def _white(image: Image.Image) -> tuple[float, bool]:
    """Tell which value of a deep grey is white, and whether that is a guess."""
    extremes: Any = image.convert("F").getextrema()
    high = float(extremes[1])
    if high > _SIXTEEN_BITS:
        return high, True
    return (1.0 if image.mode == "F" and high <= 1 else _SIXTEEN_BITS), False


def scale_to_eight_bits(image: Image.Image, job: Job) -> Image.Image:
    """Scale deep greys to the 256 levels that every format takes: white stays white, and mid-grey mid-grey."""
    white, is_guess = _white(image)
    if is_guess:
        job.warn("greys_scaled", "the greys have no usual range; their highest value is drawn as white")
    scale = 255.0 / white if white > 0 else 1.0
    return image.convert("F").point(lambda value: value * scale + 0.5).convert("L")


def _sixteen_bits(image: Image.Image) -> Image.Image:
    if image.mode == "I;16":
        return image
    white, _ = _white(image)
    scale = _SIXTEEN_BITS / white if white > 0 else 1.0
    return image.convert("F").point(lambda value: value * scale + 0.5).convert("I").convert("I;16")


def _profile(image: Image.Image, copy: Image.Image, target: str, job: Job) -> bytes | None:
    """Choose the colour profile that a copy carries; None when its colours have to become those of screens."""
    data = image.info.get("icc_profile")
    if not data or target not in _WITH_PROFILE or len(data) > _MAX_ICC_BYTES or is_deep(copy):
        return None
    profile = _opened(data)
    space = profile.profile.xcolor_space if profile else ""
    return data if convert_to_full_colour(copy).mode in _SPACES.get(space, ()) else None


def _in_screen_colours(image: Image.Image, ready: Image.Image, job: Job) -> Image.Image:
    """Convert a copy that can't carry its profile to sRGB."""
    data = image.info.get("icc_profile")
    profile = _opened(data) if data and len(data) <= _MAX_ICC_BYTES else None
    if not data or is_deep(ready):
        return ready
    if profile is None or ready.mode not in _SPACES.get(profile.profile.xcolor_space, ()):
        if profile is None or ready.mode not in ("RGB", "RGBA", "L", "LA"):
            job.warn("colour_profile", "the colour profile can't be used; colours may look otherwise")
        return ready
    try:
        mode = "RGB" if ready.mode in ("RGB", "L") else "RGBA"
        return _on_screen(ready, profile, mode) or ready
    except _COLOURS.PyCMSError:
        job.warn("colour_profile", "the colour profile can't be used; colours may look otherwise")
        return ready


def _on_screen(image: Image.Image, profile: Any, mode: str) -> Image.Image | None:
    """Convert colours to sRGB; those that a screen has stay as they are, as browsers and image programs do it."""
    intent = _COLOURS.Intent.RELATIVE_COLORIMETRIC
    screen = _COLOURS.createProfile("sRGB")
    return _COLOURS.profileToProfile(image, profile, screen, renderingIntent=intent, outputMode=mode)


def convert_print_colours(image: Image.Image, job: Job) -> Image.Image:
    """Turn printers' colours into those of screens, by their profile where there is one."""
    data = image.info.get("icc_profile")
    profile = _opened(data) if data and len(data) <= _MAX_ICC_BYTES else None
    if image.mode == "CMYK" and profile and profile.profile.xcolor_space == "CMYK":
        try:
            found = _on_screen(image, profile, "RGB")
        except _COLOURS.PyCMSError:
            job.warn("colour_profile", "the colour profile can't be used; colours may look otherwise")
        else:
            return found or image
    return image


def _opened(data: bytes) -> Any:
    try:
        return _COLOURS.ImageCmsProfile(io.BytesIO(data))
    except (OSError, ValueError, _COLOURS.PyCMSError):
        return None
