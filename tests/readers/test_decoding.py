"""Pixels come out as a viewer shows them."""

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from equipoise.readers import decoding
from equipoise.readers.decoding import UndecodableError, decode
from equipoise.readers.headers import read_header

LOSSLESS = {"PNG": {}, "BMP": {}, "TIFF": {}, "WEBP": {"lossless": True}}


@pytest.fixture
def colour(pictures):
    return pictures[0]


@pytest.fixture
def grey(pictures):
    return pictures[0][..., 1]


@pytest.mark.parametrize("format_", LOSSLESS)
def test_lossless_colour(colour, encode, format_):
    picture = decode(encode(colour, format_, **LOSSLESS[format_]))
    np.testing.assert_array_equal(picture.pixels, colour)
    assert picture.mode == "RGB"


@pytest.mark.parametrize("format_", ["PNG", "BMP", "TIFF"])
def test_grey_stays_one_channel(grey, encode, format_):
    picture = decode(encode(grey, format_))
    np.testing.assert_array_equal(picture.pixels, grey[..., None])
    assert picture.mode == "L"


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"quality": 30}, {"optimize": True}]
)
def test_jpeg_as_pillow_decodes_it(pictures, encode, options):
    for picture in pictures[:20]:
        data = encode(picture, "JPEG", **options)
        header = read_header(data)
        assert header is not None
        assert header.plain
        expected = np.array(Image.open(BytesIO(data))).astype(int)
        assert np.abs(decode(data).pixels - expected).max() <= 1


def test_grey_jpeg(grey, encode):
    data = encode(grey, "JPEG")
    expected = np.array(Image.open(BytesIO(data))).astype(int)[..., None]
    assert np.abs(decode(data).pixels - expected).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_exif_rotation(colour, encode, format_, orientation):
    exif = Image.Exif()
    exif[0x112] = orientation
    data = encode(colour, format_, exif=exif, **LOSSLESS.get(format_, {}))
    expected = np.array(ImageOps.exif_transpose(Image.open(BytesIO(data))).convert("RGB"))
    found = decode(data).pixels
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).max() <= 1
    if orientation == 6 and format_ == "PNG":  # a quarter turn clockwise
        np.testing.assert_array_equal(found, np.rot90(colour, -1))


def test_palette(colour, encode):
    image = Image.fromarray(colour).quantize(32)
    picture = decode(encode(image))
    np.testing.assert_array_equal(picture.pixels, np.array(image.convert("RGB")))
    assert picture.mode == "P"


def test_palette_with_transparency(colour, encode):
    image = Image.fromarray(colour).quantize(32)
    pixels = decode(encode(image, transparency=3)).pixels
    np.testing.assert_array_equal(pixels[..., 3] == 0, np.array(image) == 3)


def test_one_bit(grey, encode):
    image = Image.fromarray(grey).convert("1")
    np.testing.assert_array_equal(decode(encode(image)).pixels[..., 0], np.array(image) * 255)


@pytest.mark.parametrize("format_", ["PNG", "TIFF", "WEBP"])
def test_alpha_is_kept_where_it_hides_something(colour, encode, format_):
    alpha = np.full((24, 32, 1), 255, np.uint8)
    whole = np.concatenate([colour, alpha], axis=2)
    options = {"lossless": True, "exact": True} if format_ == "WEBP" else {}
    np.testing.assert_array_equal(decode(encode(whole, format_, **options)).pixels, colour)
    whole[:4, :, 3] = 128
    np.testing.assert_array_equal(decode(encode(whole, format_, **options)).pixels, whole)


def test_grey_with_alpha(grey, encode):
    alpha = np.full_like(grey, 255)
    pair = Image.merge("LA", [Image.fromarray(grey), Image.fromarray(alpha)])
    np.testing.assert_array_equal(decode(encode(pair)).pixels, grey[..., None])
    pair.putalpha(Image.fromarray(np.full_like(grey, 9)))
    assert decode(encode(pair)).pixels.shape == (24, 32, 4)


def test_colour_key(colour, encode):
    key = tuple(int(v) for v in colour[3, 4])
    pixels = decode(encode(colour, transparency=key)).pixels
    assert pixels[3, 4, 3] == 0


def test_cmyk(encode):
    flat = np.full((16, 16, 3), (200, 40, 90), np.uint8)
    image = Image.fromarray(flat).convert("CMYK")
    inverted = encode(image, "JPEG", quality=100)  # Pillow writes Adobe's inverted kind
    assert b"Adobe" in inverted
    assert np.abs(decode(inverted).pixels.astype(int) - flat).max() <= 3
    place = inverted.index(b"\xff\xee")
    length = struct.unpack(">H", inverted[place + 2 : place + 4])[0]
    # The same data without Adobe's mark means the opposite: 255 is full ink.
    plain = inverted[:place] + inverted[place + 2 + length :]
    ink = 255 - np.array(image).astype(int)
    expected = np.array(Image.fromarray(ink.astype(np.uint8), "CMYK").convert("RGB"))
    assert np.abs(decode(plain).pixels.astype(int) - expected).max() <= 3


def profile_bytes(profile) -> bytes:
    return ImageCms.ImageCmsProfile(profile).tobytes()


def test_srgb_profile_changes_nothing(colour, encode):
    profile = profile_bytes(ImageCms.createProfile("sRGB"))
    for format_ in ("PNG", "JPEG"):
        with_profile = encode(colour, format_, icc_profile=profile)
        assert read_header(with_profile).profile == profile
        np.testing.assert_array_equal(
            decode(with_profile).pixels, decode(encode(colour, format_)).pixels
        )


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "TIFF"])
def test_other_profile_is_brought_to_srgb(colour, encode, format_):
    profile = swapped_profile()
    data = encode(colour, format_, icc_profile=profile)
    source = ImageCms.ImageCmsProfile(BytesIO(profile))
    plain = Image.open(BytesIO(data))
    expected = np.array(ImageCms.profileToProfile(plain, source, ImageCms.createProfile("sRGB")))
    found = decode(data).pixels
    np.testing.assert_array_equal(found, expected)
    assert np.abs(found.astype(int) - np.array(plain)).max() > 20


def swapped_profile() -> bytes:
    """An sRGB profile whose red and blue primaries are exchanged."""
    data = profile_bytes(ImageCms.createProfile("sRGB"))
    assert data.count(b"rXYZ") == data.count(b"bXYZ") == 1
    return data.replace(b"rXYZ", b"tmp!").replace(b"bXYZ", b"rXYZ").replace(b"tmp!", b"bXYZ")


def test_broken_profile_is_passed_over(colour, encode):
    data = encode(colour, icc_profile=b"not a profile at all")
    np.testing.assert_array_equal(decode(data).pixels, colour)


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "BMP", "TIFF", "WEBP"])
def test_cut_short(colour, encode, format_):
    data = encode(colour, format_)
    for keep in (0.9, 0.5, 0.1):
        with pytest.raises(UndecodableError):
            decode(data[: int(len(data) * keep)])


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", bytes(5000)]
)
def test_no_image(data):
    with pytest.raises(UndecodableError):
        decode(data)


def test_header_that_promises_too_much():
    """A few bytes that claim 60,000×60,000 pixels are refused before anything is set aside."""
    body = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", body), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks
    )
    with pytest.raises(UndecodableError, match="more than the limit of 100,000,000"):
        decode(data)


def test_limit_is_a_parameter(colour, encode):
    data = encode(colour, "BMP")
    assert decode(data, most_pixels=24 * 32).pixels.shape == (24, 32, 3)
    with pytest.raises(UndecodableError, match="32×24 pixels are more than the limit of 767"):
        decode(data, most_pixels=24 * 32 - 1)


def test_floating_point_is_refused(encode):
    with pytest.raises(UndecodableError, match="floating-point"):
        decode(encode(Image.fromarray(np.ones((8, 8), np.float32)), "TIFF"))


def test_too_small(encode):
    with pytest.raises(UndecodableError, match="too small"):
        decode(encode(Image.new("RGB", (8, 1))))


def test_first_frame(pictures, encode):
    frames = [Image.fromarray(picture) for picture in pictures[:3]]
    for format_ in ("PNG", "TIFF"):
        data = encode(frames[0], format_, save_all=True, append_images=frames[1:])
        np.testing.assert_array_equal(decode(data).pixels, pictures[0])
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decode(data).pixels.shape == (24, 32, 3)


def jpegs(pictures, encode):
    """JPEGs of many kinds, each whole and with a byte changed."""
    turned = Image.Exif()
    turned[0x112] = 6
    kinds = [{"quality": 30}, {"progressive": True}, {"optimize": True}, {"exif": turned}]
    kinds += [{"subsampling": number} for number in range(3)]
    for picture in pictures[:10]:
        for options in (*kinds, {"restart_marker_blocks": 2}):
            for pixels in (picture, picture[:17, :23], picture[..., 1]):
                data = bytearray(encode(np.ascontiguousarray(pixels), "JPEG", **options))
                yield bytes(data)
                data[-len(data) // 4] ^= 0x55
                yield bytes(data)


def test_simplejpeg_decodes_the_same_bytes(pictures, encode, monkeypatch):
    pytest.importorskip("simplejpeg")

    def outcomes():
        for data in files:
            try:
                picture = decode(data)
                yield picture.pixels.shape, picture.pixels.tobytes(), picture.complaint
            except UndecodableError as error:
                yield str(error)

    files = list(jpegs(pictures, encode))
    fast = list(outcomes())
    monkeypatch.setattr(decoding, "decode_jpeg", None)
    assert fast == list(outcomes())


def test_the_orientation_of_any_spelling_is_left_to_opencv(colour, encode):
    exif = Image.Exif()
    exif[0x110] = "a camera"
    assert read_header(encode(colour, "JPEG", exif=exif)).straight
    exif[0x112] = 3
    assert not read_header(encode(colour, "JPEG", exif=exif)).straight
    assert read_header(encode(colour, "JPEG")).straight


def test_files_that_begin_alike_are_told_apart(pictures, encode):
    """What stands before the first scan is remembered, and what comes after is not."""
    first, second = (encode(picture, "JPEG") for picture in pictures[:2])
    assert read_header(first)[:-1] == read_header(second)[:-1]
    assert not read_header(first[:-2]).plain
    again = read_header(second)
    assert again.plain
    assert again.data == second
