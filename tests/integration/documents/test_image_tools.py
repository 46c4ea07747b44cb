"""Images that ImageMagick made."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from PIL import Image

from celery_nexus.task_errors import TooLarge, UnsupportedFormat
from tests.harness.documents import Read
from tests.harness.programs import program


@pytest.fixture
def convert(uploads: Path) -> Path:
    """The folder to make images in; the program is asked for first."""
    program("convert-im6.q16", "imagemagick")
    return uploads


def draw(path: Path, *arguments: str) -> str:
    command = [program("convert-im6.q16", "imagemagick"), *arguments, str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return path.name


def test_a_jpeg_in_printers_colours_becomes_screen_colours(convert: Path, read: Read) -> None:
    name = draw(convert / "cmyk.jpg", "-size", "300x200", "xc:red", "-colorspace", "CMYK")
    result = read("image", name)
    assert (result["info"]["mode"], result["info"]["width"]) == ("CMYK", 300)
    with Image.open(result["outputs"]["converted_file"]) as copy:
        red, green, blue = copy.convert("RGB").getpixel((150, 100))  # pyright: ignore[reportGeneralTypeIssues]
    assert (red > 200, green < 60, blue < 60) == (True, True, True)


def test_sixteen_bits_of_grey_keep_their_steps(convert: Path, read: Read) -> None:
    name = draw(convert / "deep.png", "-size", "64x256", "gradient:", "-colorspace", "Gray", "-depth", "16")
    result = read("image", name, ["get_info", "thumbnail"])
    with Image.open(result["outputs"]["thumbnail_file"]) as copy:
        column = copy.convert("L").crop((5, 0, 6, copy.height)).tobytes()
    shades = [column[y] for y in (0, 64, 128, 192, -1)]
    assert shades == sorted(shades, reverse=True)
    assert len(set(shades)) == 5


def test_an_animation_keeps_its_frames(convert: Path, read: Read) -> None:
    colours = [f"xc:{colour}" for colour in ("red", "green", "blue", "white")]
    result = read("image", draw(convert / "moving.gif", "-delay", "10", "-size", "80x60", *colours))
    assert (result["info"]["frames"], result["info"]["width"]) == (4, 80)
    with Image.open(result["outputs"]["thumbnail_file"]) as copy:
        assert getattr(copy, "n_frames", 1) == 4
        assert copy.convert("RGB").getpixel((40, 30)) == (255, 0, 0)


@pytest.mark.parametrize("options", [[], ["-define", "webp:lossless=true"]])
def test_webp_is_read(convert: Path, read: Read, options: list[str]) -> None:
    name = draw(convert / "picture.webp", "-size", "120x90", "gradient:red-blue", *options)
    result = read("image", name, target_format="png")
    assert (result["format"], result["info"]["height"]) == ("webp", 90)
    assert result["outputs"]["converted_file"].endswith(".png")


@pytest.mark.parametrize("compression", ["none", "lzw", "zip", "jpeg", "group4"])
def test_a_tiff_of_several_pages_is_read(convert: Path, read: Read, compression: str) -> None:
    pages = ["-size", "100x50", "xc:white", "xc:black", "xc:white", "-compress", compression]
    result = read("image", draw(convert / f"{compression}.tiff", *pages))
    assert (result["info"]["frames"], result["info"]["width"], result["info"]["height"]) == (3, 100, 50)


@pytest.mark.parametrize(("turn", "size"), [("6", (20, 40)), ("3", (40, 20))])
def test_a_photo_on_its_side_stands_upright(convert: Path, read: Read, turn: str, size: tuple[int, int]) -> None:
    orientation = {"6": "RightTop", "3": "BottomRight"}[turn]
    name = draw(convert / f"turned{turn}.tiff", "-size", "40x20", "xc:red", "-orient", orientation)
    result = read("image", name, target_format="png")
    with Image.open(result["outputs"]["converted_file"]) as copy:
        assert copy.size == size


def test_millions_of_pixels_in_a_tiny_file_are_refused(convert: Path, read: Read) -> None:
    name = draw(convert / "huge.png", "-size", "9000x6000", "xc:white", "-depth", "1")
    assert (convert / name).stat().st_size < 100_000
    with pytest.raises(TooLarge, match="9000 × 6000 pixels; at most 50 million"):
        read("image", name)


def test_many_pixels_below_the_limit_become_a_thumbnail(convert: Path, read: Read) -> None:
    name = draw(convert / "large.png", "-size", "7000x7000", "xc:white", "-depth", "8", "-type", "TrueColor")
    result = read("image", name, ["thumbnail"])
    assert result["stats"]["thumbnail"] == {"width": 256, "height": 256, "format": "png"}


@pytest.mark.parametrize(
    ("name", "found"), [("x.xpm", "X11 Pixel Map"), ("x.psd", "Adobe Photoshop"), ("x.pcx", "Paintbrush")]
)
def test_other_kinds_are_refused_by_their_names(convert: Path, read: Read, name: str, found: str) -> None:
    made = draw(convert / name, "-size", "30x30", "xc:red")
    with pytest.raises(UnsupportedFormat, match=found):
        read("image", made)


@pytest.mark.parametrize("kind", ["jp2", "ico", "ppm", "pgm", "tga", "dds", "bmp", "tiff", "gif", "png", "webp"])
def test_size_and_colour_are_those_that_imagemagick_sees(convert: Path, read: Read, kind: str) -> None:
    name = draw(convert / f"seen.{kind}", "-size", "48x32", "xc:#20c040")
    result = read("image", name, ["get_info", "convert"], target_format="png")
    theirs = _pixel(convert / name)
    assert (result["info"]["width"], result["info"]["height"]) == (48, 32)
    ours = _pixel(Path(result["outputs"]["converted_file"]))
    assert max(abs(one - other) for one, other in zip(ours, theirs, strict=True)) <= 8


@pytest.mark.parametrize("grey", [0, 10_000, 40_000, 65_535])
@pytest.mark.parametrize("kind", ["png", "tiff", "pgm"])
def test_an_even_grey_of_sixteen_bits_is_the_grey_that_imagemagick_sees(
    convert: Path, read: Read, kind: str, grey: int
) -> None:
    depth = ["-size", "16x16", f"xc:gray({100 * grey / 65535}%)", "-colorspace", "Gray", "-depth", "16"]
    name = draw(convert / f"grey.{kind}", *depth)
    result = read("image", name, ["convert"], target_format="jpeg")
    assert abs(_pixel(Path(result["outputs"]["converted_file"]))[0] - _pixel(convert / name)[0]) <= 2


def _pixel(path: Path) -> tuple[int, ...]:
    """The colour of a pixel in the middle, in 256 levels, by ImageMagick."""
    asked = "%[fx:round(255*u.p{8,8}.r)] %[fx:round(255*u.p{8,8}.g)] %[fx:round(255*u.p{8,8}.b)]"
    command = [
        program("convert-im6.q16", "imagemagick"),
        f"{path}[0]",
        "-colorspace",
        "sRGB",
        "-format",
        asked,
        "info:",
    ]
    found = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    return tuple(int(float(number)) for number in found.split())


PROFILES = Path("/usr/share/color/icc/ghostscript")
"""Ghostscript's, which the tests of PDFs need too."""


@pytest.mark.parametrize(("profile", "mode"), [("a98.icc", "sRGB"), ("default_cmyk.icc", "CMYK")])
@pytest.mark.parametrize("target", ["bmp", "png", "jpeg"])
def test_colours_of_a_profile_are_those_that_imagemagick_sees(
    convert: Path, read: Read, profile: str, mode: str, target: str
) -> None:
    program("gs", "ghostscript")
    screen = ["-profile", str(PROFILES / "srgb.icc")]
    colours = ["-size", "16x16", "xc:rgb(190,80,60)", *screen, "-profile", str(PROFILES / profile)]
    name = draw(convert / "profiled.tiff", *colours)
    result = read("image", name, ["get_info", "convert"], target_format=target)
    assert result["info"]["mode"] == ("CMYK" if mode == "CMYK" else "RGB")
    theirs = _pixel(convert / draw(convert / "theirs.png", str(convert / name), *screen))
    copy = result["outputs"]["converted_file"]
    ours = _pixel(convert / draw(convert / "ours.png", copy, *(screen if target != "bmp" else [])))
    assert max(abs(one - other) for one, other in zip(ours, theirs, strict=True)) <= 4
