"""Images keep what they mean in copies: all frames, deep greys, colours; other kinds are refused by their names."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageCms

from celery_nexus.task_errors import UnsupportedFormat
from tests.harness.documents import Read

KINDS = {"jp2": "JPEG2000", "ico": "ICO", "ppm": "PPM", "tga": "TGA", "dds": "DDS", "avif": "AVIF"}


@pytest.mark.parametrize("ending", KINDS)
def test_further_kinds_are_read_and_copied(uploads: Path, read: Read, ending: str) -> None:
    Image.new("RGB", (32, 32), (200, 30, 30)).save(uploads / "x", KINDS[ending])
    result = read("image", "x")
    assert (result["info"]["width"], result["info"]["height"], result["warnings"]) == (32, 32, [])
    with Image.open(result["outputs"]["resized_file"]) as copy:
        red, green, _ = copy.convert("RGB").getpixel((16, 16))  # pyright: ignore[reportGeneralTypeIssues]
        assert (copy.format, red > 190, green < 45) == ("PNG", True, True)


@pytest.mark.parametrize(("library", "name"), [("PCX", "Paintbrush"), ("SGI", "SGI Image"), ("XBM", "X11 Bitmap")])
def test_other_kinds_are_refused_by_their_names(uploads: Path, read: Read, library: str, name: str) -> None:
    Image.new("1" if library == "XBM" else "RGB", (16, 16)).save(uploads / "x", library)
    with pytest.raises(UnsupportedFormat, match=name):
        read("image", "x")


def frames(count: int = 3) -> list[Image.Image]:
    return [Image.new("RGB", (40, 30), (80 * at, 40, 255 - 80 * at)) for at in range(count)]


def animated(path: Path, library: str, **options: Any) -> str:
    first, *others = frames()
    first.save(path, library, save_all=True, append_images=others, **options)
    return path.name


@pytest.mark.parametrize("library", ["GIF", "WEBP", "TIFF", "PNG"])
@pytest.mark.parametrize("operation", ["resize", "thumbnail"])
def test_copies_have_all_frames(uploads: Path, read: Read, library: str, operation: str) -> None:
    options = {} if library == "TIFF" else {"duration": [50, 100, 150]}
    name = animated(uploads / "x", library, **options)
    result = read("image", name, [operation], width=20)
    with Image.open(result["outputs"]["images"][0]) as copy:
        assert (copy.format, getattr(copy, "n_frames", 1)) == (library, 3)
        copy.seek(2)
        red, *_ = copy.convert("RGB").getpixel((5, 5))  # pyright: ignore[reportGeneralTypeIssues]
        assert abs(red - 160) < 12
        if library != "TIFF":
            assert copy.info["duration"] == 150
    assert result["warnings"] == []


@pytest.mark.parametrize(
    ("library", "target", "frames_"), [("GIF", "webp", 3), ("WEBP", "png", 3), ("GIF", "jpeg", 1), ("TIFF", "png", 1)]
)
def test_frames_that_a_format_has_no_place_for_are_said(
    uploads: Path, read: Read, library: str, target: str, frames_: int
) -> None:
    name = animated(uploads / "x", library)
    result = read("image", name, ["convert"], target_format=target)
    with Image.open(result["outputs"]["converted_file"]) as copy:
        assert getattr(copy, "n_frames", 1) == frames_
    expected = {} if frames_ == 3 else {"frames_lost": f"2 of 3 frames are not in the copy 'converted' ({target})"}
    assert result["notes"] == expected


@pytest.mark.parametrize("source", ["PNG", "TIFF", "PPM"])
@pytest.mark.parametrize(("target", "expected"), [("jpeg", 156), ("webp", 156), ("bmp", 156), ("png", 40_000)])
@pytest.mark.parametrize("operation", ["resize", "thumbnail", "convert"])
def test_a_grey_of_sixteen_bits_stays_that_grey(
    uploads: Path, read: Read, source: str, target: str, expected: int, operation: str
) -> None:
    Image.new("I;16", (30, 20), 40_000).save(uploads / "x", source)
    result = read("image", "x", [operation], target_format=target, width=15)
    with Image.open(result["outputs"]["images"][0]) as copy:
        value: Any = copy.convert("I").getpixel((5, 5)) if target == "png" else copy.convert("L").getpixel((5, 5))
    assert abs(value - expected) <= 1
    assert result["warnings"] == []


def test_a_dark_grey_of_sixteen_bits_is_not_white(uploads: Path, read: Read) -> None:
    Image.new("I;16", (30, 20), 1).save(uploads / "x", "PNG")
    path = read("image", "x", ["thumbnail"], target_format="jpeg")["outputs"]["thumbnail_file"]
    with Image.open(path) as copy:
        assert copy.convert("L").getpixel((5, 5)) == 0


def test_greys_without_a_usual_range_are_said(uploads: Path, read: Read) -> None:
    Image.new("I", (30, 20), 1_000_000).save(uploads / "x", "TIFF")
    assert "greys_scaled" in read("image", "x", ["convert"], target_format="jpeg")["warnings"]


SCREEN: Any = ImageCms.createProfile("sRGB")
PROFILE = ImageCms.ImageCmsProfile(SCREEN).tobytes()


@pytest.mark.parametrize("target", ["png", "jpeg", "webp", "tiff"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_the_colour_profile_goes_along(uploads: Path, read: Read, mode: str, target: str) -> None:
    Image.new(mode, (30, 20), "red").save(uploads / "x", "PNG", icc_profile=PROFILE)
    result = read("image", "x", ["resize"], target_format=target, width=15)
    with Image.open(result["outputs"]["resized_file"]) as copy:
        assert copy.info.get("icc_profile") == PROFILE
    assert result["warnings"] == []


def test_a_profile_without_a_place_is_used_for_the_pixels(uploads: Path, read: Read) -> None:
    Image.new("RGB", (30, 20), "red").save(uploads / "x", "PNG", icc_profile=PROFILE)
    result = read("image", "x", ["convert"], target_format="bmp")
    with Image.open(result["outputs"]["converted_file"]) as copy:
        red: Any = copy.getpixel((5, 5))
    assert (red[0] > 250, red[1] < 5, result["warnings"]) == (True, True, [])


def test_a_damaged_profile_is_said(uploads: Path, read: Read) -> None:
    Image.new("RGB", (30, 20), "red").save(uploads / "x", "PNG", icc_profile=b"no profile")
    assert read("image", "x", ["resize"], width=15)["warnings"] == ["colour_profile"]


def test_words_of_a_damaged_image_are_plain(uploads: Path, read: Read) -> None:
    target = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(target, "PNG")
    (uploads / "x").write_bytes(target.getvalue()[:-600])
    with pytest.raises(Exception, match="corrupt: x: the image is damaged, or cut short"):
        read("image", "x")
