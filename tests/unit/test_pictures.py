"""Pictures that residents send: made anew without what is not seen, or refused."""

import io
import struct
import zlib

import pytest
from PIL import Image

from apps.residents.pictures import LONGEST_SIDE_PX, PictureRefused, made_anew

SECRET = "35.6595N 139.7005E"


def photo(size: tuple[int, int] = (640, 480), form: str = "JPEG", **more: object) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, "white").save(file, form, **more)
    return file.getvalue()


def with_place() -> bytes:
    """A telephone's picture: where, when, with what, and a turned sensor."""
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter
    exif[0x010F] = "Maker of telephones"
    exif[0x9286] = SECRET
    exif.get_ifd(0x8825).update({1: "N", 2: (35.0, 39.0, 34.2), 3: "E", 4: (139.0, 42.0, 1.8)})
    return photo(exif=exif, comment=SECRET.encode())


def test_place_time_and_maker_are_gone_and_the_picture_is_upright() -> None:
    raw = with_place()
    assert Image.open(io.BytesIO(raw)).getexif().get_ifd(0x8825)
    anew = made_anew(raw)
    picture = Image.open(io.BytesIO(anew))
    assert (picture.format, picture.size) == ("JPEG", (480, 640))
    assert not dict(picture.getexif())
    assert not {"exif", "comment", "icc_profile", "xmp"} & picture.info.keys()
    assert b"Exif" not in anew
    assert SECRET.encode() not in anew
    assert b"telephones" not in anew


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_large_picture_is_made_small_and_upright(form: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = Image.open(io.BytesIO(made_anew(photo((5000, 2500), form, exif=exif))))
    assert picture.size == (LONGEST_SIDE_PX // 2, LONGEST_SIDE_PX)


def test_a_large_picture_becomes_one_of_bounded_size_and_a_transparent_one_white() -> None:
    picture = Image.open(io.BytesIO(made_anew(photo((5000, 2500), "PNG"))))
    assert picture.size == (LONGEST_SIDE_PX, LONGEST_SIDE_PX // 2)
    file = io.BytesIO()
    Image.new("RGBA", (10, 10), (0, 0, 0, 0)).save(file, "PNG")
    assert Image.open(io.BytesIO(made_anew(file.getvalue()))).getpixel((5, 5)) == (255, 255, 255)


def bomb(width: int, height: int) -> bytes:
    """A PNG of some hundred bytes that says it is huge."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        whole = kind + content
        return struct.pack(">I", len(content)) + whole + struct.pack(">I", zlib.crc32(whole))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"not a picture",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        photo(form="GIF"),
        photo()[:200],
        bomb(30_000, 30_000),
        bomb(8_000, 8_000),
        b"\xff" * (10 * 2**20 + 1),
    ],
    ids=["nothing", "text", "svg", "gif", "cut off", "bomb", "too many pixels", "too large"],
)
def test_what_is_no_picture_or_too_large_is_refused(raw: bytes) -> None:
    with pytest.raises(PictureRefused):
        made_anew(raw)
