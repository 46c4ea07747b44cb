"""Images: facts, upright copies without EXIF, other formats."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.harness.documents import Read


@pytest.fixture
def photo(uploads: Path) -> str:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    exif[0x010F] = "Maker"
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (52.0, 30.0, 0.0)
    Image.effect_noise((400, 200), 50).convert("RGB").save(uploads / "photo.jpg", exif=exif, comment="secret comment")
    return "photo.jpg"


def _opened(path: str) -> tuple[Image.Image, bytes]:
    data = Path(path).read_bytes()
    return Image.open(io.BytesIO(data)), data


def test_info_tells_format_size_mode_and_exif(photo: str, read: Read) -> None:
    info = read("image", photo, ["get_info"])["info"]
    assert (info["format"], info["width"], info["height"], info["mode"], info["frames"]) == ("jpeg", 400, 200, "RGB", 1)
    assert (info["upright_width"], info["upright_height"]) == (200, 400)
    assert (info["exif"]["Make"], info["exif"]["GPSInfo"]) == ("Maker", "present")


@pytest.mark.parametrize("operation", ["resize", "thumbnail", "convert"])
def test_copies_stand_upright_and_carry_nothing_personal(photo: str, read: Read, operation: str) -> None:
    image, data = _opened(read("image", photo, [operation])["outputs"]["images"][0])
    assert image.height == 2 * image.width
    assert dict(image.getexif()) == {}
    assert b"secret comment" not in data
    assert b"Maker" not in data


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({"width": 100}, (100, 200)),
        ({"height": 100}, (50, 100)),
        ({"width": 100, "height": 100}, (50, 100)),
        ({"width": 100, "height": 100, "keep_aspect": False}, (100, 100)),
        ({"width": 800}, (800, 1600)),
        ({}, (200, 400)),
    ],
)
def test_an_image_is_resized_as_asked(photo: str, read: Read, options: dict[str, Any], size: tuple[int, int]) -> None:
    assert _opened(read("image", photo, ["resize"], **options)["outputs"]["resized_file"])[0].size == size


def test_a_thumbnail_fits_its_side(photo: str, read: Read) -> None:
    assert _opened(read("image", photo, ["thumbnail"], thumbnail_size=64)["outputs"]["thumbnail_file"])[0].size == (
        32,
        64,
    )


MODES = ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"]
FORMATS = ["png", "jpeg", "gif", "webp", "tiff", "bmp"]


@pytest.mark.parametrize(
    ("mode", "target"), [*((mode, "jpeg") for mode in MODES), *(("RGBA", form) for form in FORMATS)]
)
def test_every_mode_becomes_every_format(uploads: Path, read: Read, mode: str, target: str) -> None:
    grey = Image.new("I;16", (20, 10), 30_000) if mode == "I;16" else Image.new("L", (20, 10), 128).convert(mode)
    grey.save(uploads / "x.png")
    result = read("image", "x.png", ["convert", "resize"], target_format=target, width=10)
    image, _ = _opened(result["outputs"]["converted_file"])
    assert (image.format, image.size) == (target.upper(), (20, 10))


def test_transparency_becomes_white_in_a_jpeg(uploads: Path, read: Read) -> None:
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(uploads / "x.png")
    image, _ = _opened(read("image", "x.png", ["convert"], target_format="jpeg")["outputs"]["converted_file"])
    assert image.getpixel((4, 4)) == (255, 255, 255)


def test_frames_are_counted_up_to_the_cap(uploads: Path, read: Read) -> None:
    frames = [Image.new("L", (2, 2), index % 256) for index in range(600)]
    frames[0].save(uploads / "x.gif", save_all=True, append_images=frames[1:])
    result = read("image", "x.gif", ["get_info"])
    assert (result["info"]["frames"], result["warnings"]) == (500, ["frames_cut"])


def test_a_photo_read_small_for_its_thumbnail_keeps_its_own_size(uploads: Path, read: Read) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Image.new("RGB", (1600, 800), "red").save(uploads / "x.jpg", exif=exif)
    result = read("image", "x.jpg", ["get_info", "thumbnail"])
    assert (result["info"]["width"], result["info"]["upright_width"], result["stats"]["height"]) == (1600, 800, 1600)
    assert result["stats"]["thumbnail"] == {"width": 128, "height": 256, "format": "jpeg"}
