"""A picture that a resident sends: read with suspicion, and made anew without anything but what is seen. Pure."""

import io
from typing import Final

from PIL import Image, ImageOps

from apps.kernel.errors import KanpuError

MOST_BYTES: Final = 10 * 2**20
MOST_PIXELS: Final = 50_000_000  # of a good telephone; more is no receipt
LONGEST_SIDE_PX: Final = 2_000  # a receipt's small print can be read, and a picture takes some 100 kB
QUALITY: Final = 80
FORMATS: Final = ("JPEG", "PNG", "WEBP")


class PictureRefused(KanpuError):
    """This is no picture that is taken: another format, damaged, too large."""

    code = "picture_refused"


def made_anew(raw: bytes) -> bytes:
    """The picture as JPEG, upright, at most LONGEST_SIDE_PX long, without metadata or colour profile.

    Its size is read from its head, before a pixel is decoded: a small file that would unpack to a huge picture is
    refused. Raises PictureRefused.
    """
    if len(raw) > MOST_BYTES:
        raise PictureRefused(f"The picture is larger than {MOST_BYTES // 2**20} MB. Take one of fewer pixels.")
    try:
        picture = Image.open(io.BytesIO(raw), formats=FORMATS)
        if picture.width * picture.height > MOST_PIXELS:
            raise PictureRefused(f"The picture has more than {MOST_PIXELS // 10**6} million pixels.")
        picture.draft("RGB", (LONGEST_SIDE_PX, LONGEST_SIDE_PX))
        picture.thumbnail((LONGEST_SIDE_PX, LONGEST_SIDE_PX))  # before it is turned, which copies it
        return _as_jpeg(ImageOps.exif_transpose(picture))
    except PictureRefused:
        raise
    except Exception as error:  # whatever a damaged or hostile file makes a decoder say
        raise PictureRefused("This file is no picture that can be read: send JPEG, PNG or WebP.") from error


def _as_jpeg(picture: Image.Image) -> bytes:
    """Only the pixels go into the new file, on white where the picture is transparent."""
    pixels = picture.convert("RGBA")
    paper = Image.new("RGB", pixels.size, "white")
    paper.paste(pixels, mask=pixels)
    jpeg = io.BytesIO()
    paper.save(jpeg, "JPEG", quality=QUALITY, optimize=True)
    return jpeg.getvalue()
